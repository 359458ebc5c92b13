/** A request waits until the rate of its client allows it. */
import type { Clock } from "../../transport/clock.ts";
import type { Deadlines, Expirable } from "../../transport/deadlines.ts";
import type { RequestContext } from "../context/request-context.ts";

interface DelayedRequest {
  readonly context: RequestContext;
  readonly worker: { readonly clock: Clock; readonly deadlines: Deadlines };
}

export class Delay implements Expirable {
  deadlineMs: number;
  deadlineIndex = -1;
  readonly #request: DelayedRequest;
  readonly #over: () => void;

  /** @param over called once, unless it is cancelled; `delayMs` is 0 then */
  constructor(request: DelayedRequest, over: () => void) {
    this.#request = request;
    this.#over = over;
    const { context, worker } = request;
    this.deadlineMs = context.startMs + context.delayMs;
    worker.deadlines.add(this);
  }

  expired(): void {
    this.cancel();
    this.#request.context.delayMs = 0;
    this.#over();
  }

  cancel(): void {
    this.#request.worker.deadlines.remove(this);
  }
}
