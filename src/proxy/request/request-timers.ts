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

export class RequestTimers {
  readonly #deadlines: Deadlines;
  #limit: Timer | undefined;
  #comments: Timer | undefined;

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines;
  }

  /** From its head to the last byte of its response. @param timeoutMs 0 = no limit */
  limit(timeoutMs: number, expired: () => void): void {
    if (timeoutMs > 0) this.#limit = new Timer(this.#deadlines, timeoutMs, expired);
  }

  /**
   * If the request is for a stream, until its response begins.
   * @param comment sends one; false = none is to follow
   */
  sayOften(everyMs: number, members: TopLevel | undefined, comment: () => boolean): void {
    if (members === undefined || !isTrue(members, stream)) return;
    const timer = new Timer(this.#deadlines, everyMs, () => {
      if (comment()) timer.restart(everyMs);
    });
    this.#comments = timer;
  }

  /** The request is over. */
  end(): void {
    this.#limit?.end();
    this.#comments?.end();
  }
}
