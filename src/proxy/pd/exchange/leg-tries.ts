/** How often each leg of a request has failed, and how the request ends if no further engine is tried. */
import type { LegName } from "../../../dialects/dialect.ts";
import type { Outcome } from "../../context/outcomes.ts";

export class LegTries {
  /**
   * Of the last failure that led to another try; undefined = there was none, or an engine's own response was refused.
   */
  lastFailure: Outcome | undefined;
  readonly #max: Readonly<Record<LegName, number>>;
  readonly #failures: Record<LegName, number> = { prefill: 0, decode: 0 };

  /** @param max engines that may be tried for each leg, the first included */
  constructor(max: Readonly<Record<LegName, number>>) {
    this.#max = max;
  }

  /** Whether the leg may be tried again if it fails now. */
  hasNext(leg: LegName): boolean {
    return this.#failures[leg] + 1 < this.#max[leg];
  }

  /** Another response begins: what failed before does not count. */
  renew(): void {
    this.#failures.prefill = 0;
    this.#failures.decode = 0;
  }

  /** Counts a failure of the leg; whether the leg may be tried again. */
  failed(leg: LegName, failure: Outcome | undefined, mayRetry: boolean): boolean {
    this.#failures[leg] += 1;
    if (!mayRetry || this.#failures[leg] >= this.#max[leg]) return false;
    this.lastFailure = failure ?? this.lastFailure;
    return true;
  }
}
