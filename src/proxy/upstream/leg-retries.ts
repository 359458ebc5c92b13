/**
 * Whether a leg of a request may be tried again at another engine: if its route and its kind allow that, nothing of a
 * response has gone to the client, and the route's budget has room. Counts what is being retried against that budget.
 */

import type { RetryCondition } from "../../config/schema/schema.ts";
import type { ResponseHead } from "../../http1/head/response-head.ts";
import { beingRetried, type RequestCounts } from "../../scoreboard/request-counts.ts";
import type { LegFailure } from "../context/legs.ts";
import { refusedCounter, retryCounter } from "../context/request-counters.ts";
import type { RetryBudget } from "../context/retry-budget.ts";
import type { Route } from "../routing/route.ts";
import type { ForwardedRequest } from "./forwarded-request.ts";
import type { Leg } from "./leg.ts";
import { allowsRetry, backpressureOf, conditionOf, mayBeResent, mayRunTwice } from "./retry.ts";

/**
 * What is tried again. Not a closure: closures of a request that had ended kept those after it alive on Node, which
 * then promoted up to 4,700 bytes of each request instead of 17.
 */
export interface Retried {
  /** Whether the client can still get another response. */
  readonly isOpen: boolean;
  /** The leg at the other end of the KV transfer, if its engine may be why this leg fails. */
  peerOf?(leg: Leg): Leg | undefined;
}

export class LegRetries {
  readonly #request: ForwardedRequest;
  readonly #route: Route;
  readonly #retried: Retried;
  readonly #isHarmless: boolean;
  /** Undefined = retries have none, or the request is over. */
  #budget: RetryBudget | undefined;
  /** When the request was first sent, if that counts; -1 = it was not. */
  #sentMs = -1;
  /** Whether the budget counts the request as in flight. */
  #isInFlight = false;
  /** Legs that are being retried and have no result yet. Undefined = there was none. */
  #underWay: { readonly leg: Leg; readonly isCounted: boolean }[] | undefined;
  /** Of the retry that was allowed last: whether the budget does not count it. */
  #isNextFree = false;
  /** What that one is for. */
  #cause: RetryCondition = "error";

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
    this.#budget = route.retryBudget;
  }

  /** Whether a request may be sent once more where a pooled connection was stale. */
  get mayBeResent(): boolean {
    return mayBeResent(this.#request.context, this.#route);
  }

  /** Whether a response whose head has come is the client's, whatever follows: so it is in nginx. */
  get endWithHead(): boolean {
    return this.#route.config.retry.rules === "nginx";
  }

  /** A leg is sent. */
  sent(): void {
    const { retry } = this.#route.config;
    if (retry.timeoutMs > 0 && this.#sentMs < 0) this.#sentMs = this.#request.worker.clock.nowMs();
    if (this.#isInFlight || this.#budget === undefined) return;
    this.#isInFlight = true;
    this.#budget.enter();
  }

  /** Whether another engine that seems healthy would be tried if the leg failed now. Changes nothing. */
  mayFollow(leg: Leg, failure: LegFailure): boolean {
    if (!this.#mayTryAnother(leg) || !this.#isAllowed(failure, false)) return false;
    return this.#hasRoom || this.#isFree(leg, false);
  }

  /**
   * The leg has failed. Whether another engine is to be tried.
   * @param isUnsent the request cannot have reached the engine
   * @param hasTry the leg has not had all its tries
   */
  failed(leg: Leg, failure: LegFailure, isUnsent: boolean, hasTry: boolean): boolean {
    this.#ended(leg, !isUnsent);
    if (!hasTry || failure === "descriptors") return false;
    const hasOther = this.#mayTryAnother(leg) || leg.place.hasLastResort;
    if (!hasOther || !this.#isAllowed(failure, isUnsent)) return false;
    if (!this.#isAffordable(leg, isUnsent)) return false;
    this.#cause = conditionOf(failure, this.#route.config.retry);
    return true;
  }

  /**
   * A leg's response has begun. Whether another engine is to be tried for a better one; this one then counts as
   * refused.
   * @param hasTry the leg has not had all its tries
   */
  responded(leg: Leg, head: ResponseHead, hasTry: boolean): boolean {
    const { isDoubted } = leg.health;
    if (head.status < 400 && !isDoubted) {
      this.#ended(leg, false);
      return false;
    }
    const { retry } = this.#route.config;
    const busyMs = backpressureOf(head, retry, this.#request.worker.clock.wallMs());
    if (busyMs > 0) leg.busy(busyMs);
    // Whose fault a refusal is shows another engine, as with junk.
    const failure = isDoubted && head.status < 500 ? "invalid" : head.status;
    // It has done nothing for the request. At other paths the path is what it does not know.
    const lacksModel =
      head.status === 404 && this.#request.endpoint !== undefined && leg.place.lacksModel();
    const isFailure = lacksModel
      ? this.#retried.isOpen
      : this.#mayTryAnother(leg) && this.#isAllowed(failure, false);
    this.#ended(leg, isFailure || head.status >= 500 || busyMs > 0);
    if (!hasTry || !isFailure || !this.#isAffordable(leg, false)) return false;
    this.#cause = conditionOf(failure, retry);
    leg.refused();
    return true;
  }

  /** Another engine is tried for the leg, as `failed` or `responded` has allowed. */
  retry(leg: Leg): void {
    const budget = this.#budget;
    this.#counts.add(retryCounter(leg.name, this.#cause));
    if (budget === undefined) return;
    const isCounted = !this.#isNextFree;
    if (isCounted && !this.#isCounted) {
      budget.take();
      this.#counts.add(beingRetried, 1);
    }
    this.#underWay ??= [];
    this.#underWay.push({ leg, isCounted });
  }

  /** The request is over, or is no concern of these retries any more. */
  end(): void {
    const budget = this.#budget;
    if (budget === undefined || !this.#isInFlight) return;
    this.#budget = undefined;
    if (this.#isCounted) this.#giveBack(budget);
    budget.leave();
  }

  get #counts(): RequestCounts {
    return this.#request.worker.counts;
  }

  /** Whether the budget counts the request as being retried. */
  get #isCounted(): boolean {
    return this.#underWay?.some(({ isCounted }) => isCounted) ?? false;
  }

  /** The leg's try has come to something. If it was a retry, that is over. */
  #ended(leg: Leg, isVain: boolean): void {
    const underWay = this.#underWay;
    const at = underWay?.findIndex((one) => one.leg === leg) ?? -1;
    if (underWay === undefined || at < 0) return;
    const wasCounted = this.#isCounted;
    // Whatever decode has waited for is over with it.
    if (leg.name === "decode") underWay.length = 0;
    else underWay.splice(at, 1);
    const budget = this.#budget;
    if (budget === undefined) return;
    if (wasCounted && !this.#isCounted) this.#giveBack(budget);
    budget.retryEnded(isVain);
  }

  #giveBack(budget: RetryBudget): void {
    budget.giveBack();
    this.#counts.add(beingRetried, -1);
  }

  #isAllowed(failure: LegFailure | number, isUnsent: boolean): boolean {
    const { context, worker } = this.#request;
    const elapsedMs = this.#sentMs < 0 ? 0 : worker.clock.nowMs() - this.#sentMs;
    const { retry } = this.#route.config;
    if (!this.#retried.isOpen || !allowsRetry(retry, failure, elapsedMs)) return false;
    return isUnsent || this.#isHarmless || mayRunTwice(context, this.#route);
  }

  /** A request that is being retried already needs no more room. */
  get #hasRoom(): boolean {
    const budget = this.#budget;
    return budget === undefined || this.#isCounted || budget.hasRoom;
  }

  /**
   * A connection that never came up has cost the engine nothing. A move adds nothing either, as long as retries help:
   * engines that seem healthy may only have had no request yet.
   */
  #isFree(leg: Leg, isUnsent: boolean): boolean {
    if (isUnsent) return true;
    if (!(this.#budget?.helps ?? true)) return false;
    return leg.place.isMove || (this.#failedPeer(leg)?.place.isMove ?? false);
  }

  /** Whether there is another engine for the leg, or for the one that may be why it fails. */
  #mayTryAnother(leg: Leg): boolean {
    return leg.mayTryAnother || (this.#failedPeer(leg)?.place.hasNext ?? false);
  }

  #failedPeer(leg: Leg): Leg | undefined {
    return leg.health.mayBePeers ? this.#retried.peerOf?.(leg) : undefined;
  }

  /** Says so if the budget is all that is in the way. */
  #isAffordable(leg: Leg, isUnsent: boolean): boolean {
    this.#isNextFree = this.#isFree(leg, isUnsent);
    if (this.#isNextFree || this.#hasRoom) return true;
    this.#counts.add(refusedCounter(leg.name));
    this.#request.context.isRetryRefused = true;
    this.#request.worker.reports.retryRefused(this.#route.match.path, this.#budget!);
    return false;
  }
}
