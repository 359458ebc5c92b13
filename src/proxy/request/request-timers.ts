/** What the time has a say in while a request is served: its deadline, and comments that keep its connection alive. */
import { KeyName } from "../../body/json/key-name.ts";
import type { TopLevel } from "../../body/json/top-level.ts";
import { isTrue } from "../../dialects/shared/member-facts.ts";
import type { Deadlines, Expirable } from "../../transport/deadlines.ts";

const stream = new KeyName("stream");

class Timer implements Expirable {
  deadlineMs: number;
  deadlineIndex = -1;
  readonly expired: () => void;
  readonly #deadlines: Deadlines;

  constructor(deadlines: Deadlines, timeoutMs: number, expired: () => void) {
    this.#deadlines = deadlines;
    this.expired = expired;
    this.deadlineMs = deadlines.dueIn(timeoutMs);
    deadlines.add(this);
  }

  restart(timeoutMs: number): void {
    this.deadlineMs = this.#deadlines.dueIn(timeoutMs);
  }

  end(): void {
    this.#deadlines.remove(this);
  }
}

/** What a request does when its time has come. */
export interface TimedRequest {
  /** It has taken longer than it may. */
  timedOut(): void;
  /** Sends its client a comment; false = none is to follow, since the response has begun. */
  comment(): boolean;
}

/** In ms; 0 = none. */
export interface RequestTimes {
  readonly requestTimeoutMs: number;
  readonly keepAliveCommentMs: number;
}

/** Of a request whose head is here. Undefined = the route times nothing. */
export function requestTimers(
  deadlines: Deadlines,
  times: RequestTimes | undefined,
  request: TimedRequest,
): RequestTimers | undefined {
  if (times === undefined || times.requestTimeoutMs + times.keepAliveCommentMs === 0)
    return undefined;
  return new RequestTimers(deadlines, times, request);
}

export class RequestTimers {
  readonly #deadlines: Deadlines;
  readonly #times: RequestTimes;
  readonly #request: TimedRequest;
  readonly #limit: Timer | undefined;
  #comments: Timer | undefined;

  constructor(deadlines: Deadlines, times: RequestTimes, request: TimedRequest) {
    this.#deadlines = deadlines;
    this.#times = times;
    this.#request = request;
    const { requestTimeoutMs: timeoutMs } = times;
    if (timeoutMs > 0) this.#limit = new Timer(deadlines, timeoutMs, () => request.timedOut());
  }

  /** The request goes on; if it is for a stream, comments follow until its response begins. */
  comment(members: TopLevel | undefined): void {
    const { keepAliveCommentMs: everyMs } = this.#times;
    if (everyMs === 0 || members === undefined || !isTrue(members, stream)) return;
    const timer = new Timer(this.#deadlines, everyMs, () => {
      if (this.#request.comment()) timer.restart(everyMs);
    });
    this.#comments = timer;
  }

  /** The request is over. */
  end(): void {
    this.#limit?.end();
    this.#comments?.end();
  }
}
