/**
 * How many requests of a route may be being retried at a time, so that retries never multiply an overload. As Envoy's
 * `retry_budget` (`envoy.config.cluster.v3.CircuitBreakers.Thresholds.RetryBudget`), but the share is of the requests
 * that are not being retried: then retries add at most that share to the load. Each worker counts its own requests, as
 * nobody waits for another thread to retry.
 */
import type { RetryConfig } from "../../config/schema/schema.ts";

export class RetryBudget {
  readonly #share: number;
  readonly #requestsMin: number;
  /** Requests that are sent to engines. */
  #inFlight = 0;
  /** Those of them that are being retried: from the retry to a response that is not retried. */
  #retried = 0;

  /**
   * Whether the last retry to end was in vain. Engines that seem healthy may only have had no request yet: then no
   * retry is free.
   */
  #isVain = false;

  constructor({ share, requestsMin }: RetryConfig["budget"]) {
    this.#share = share;
    this.#requestsMin = requestsMin;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get retried(): number {
    return this.#retried;
  }

  /** Whether one more of the requests in flight may be retried. */
  get hasRoom(): boolean {
    const retried = this.#retried + 1;
    return retried <= Math.max(this.#requestsMin, this.#share * (this.#inFlight - retried));
  }

  /** Whether retries help, as far as is known. */
  get helps(): boolean {
    return !this.#isVain;
  }

  /** A retry has ended. @param isVain its engine has failed as well */
  retryEnded(isVain: boolean): void {
    this.#isVain = isVain;
  }

  /** A request is sent to an engine for the first time. */
  enter(): void {
    this.#inFlight += 1;
  }

  /** A request that has entered is over. */
  leave(): void {
    this.#inFlight -= 1;
  }

  /** A request that has entered is being retried. */
  take(): void {
    this.#retried += 1;
  }

  /** It is not any more. */
  giveBack(): void {
    this.#retried -= 1;
  }
}

/** Undefined = retries have no budget. */
export function retryBudgetOf({ budget }: RetryConfig): RetryBudget | undefined {
  return budget.share === 0 ? undefined : new RetryBudget(budget);
}
