/**
 * Whether a leg of a request may be tried again at another engine: if its route and its kind allow that, and nothing of
 * a response has gone to the client.
 */
import type { ResponseHead } from "../../http1/head/response-head.ts";
import type { LegFailure } from "../context/legs.ts";
import type { Route } from "../routing/route.ts";
import type { ForwardedRequest } from "./forwarded-request.ts";
import type { Leg } from "./leg.ts";
import { allowsRetry, backpressureOf, mayBeResent, mayRunTwice } from "./retry.ts";

/** What is tried again. A request has many; so this is no closure. */
export interface Retried {
  /** Whether the client can still get another response. */
  readonly isOpen: boolean;
}

export class LegRetries {
  readonly #request: ForwardedRequest;
  readonly #route: Route;
  readonly #retried: Retried;
  readonly #isHarmless: boolean;

  /** @param isHarmless it changes nothing to run twice, whatever the route's rules are */
  constructor(
    request: ForwardedRequest,
    route: Route,
    retried: Retried,
    isHarmless: boolean = false,
  ) {
    this.#request = request;
    this.#route = route;
    this.#retried = retried;
    this.#isHarmless = isHarmless;
  }

  /** Whether a request may be sent once more where a pooled connection was stale. */
  get mayBeResent(): boolean {
    return mayBeResent(this.#request.context, this.#route);
  }

  /**
   * Whether another engine may be tried after this failure.
   * @param isUnsent the request cannot have reached the engine
   */
  mayFollow(leg: Leg, failure: LegFailure, isUnsent: boolean): boolean {
    return this.#mayRetry(leg, failure, isUnsent);
  }

  /** Whether another engine may be tried after this response, which then counts as refused. */
  mayReplace(leg: Leg, head: ResponseHead): boolean {
    if (head.status < 400) return false;
    const { retry } = this.#route.config;
    const busyMs = backpressureOf(head, retry, this.#request.worker.clock.wallMs());
    if (busyMs > 0) leg.busy(busyMs);
    if (!this.#mayRetry(leg, head.status, false)) return false;
    leg.refused();
    return true;
  }

  #mayRetry(leg: Leg, failure: LegFailure | number, isUnsent: boolean): boolean {
    const { context, worker } = this.#request;
    const elapsedMs = worker.clock.nowMs() - context.startMs;
    const { retry } = this.#route.config;
    if (!this.#retried.isOpen || !allowsRetry(retry, failure, elapsedMs)) return false;
    const mayRun = isUnsent || this.#isHarmless || mayRunTwice(context, this.#route);
    return mayRun && leg.mayTryAnother;
  }
}
