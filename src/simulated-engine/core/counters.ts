/** What one engine counts for `/debug/state`: requests, how they ended, and what a proxy did wrong. */

import { requestIdsMax, violationTextsMax } from "../limits.ts";
import type { AbortPhase, RecomputeCounts } from "./state.ts";

export class EngineCounters {
  requestsSeen = 0;
  remotePrefills = 0;
  failed = 0;
  readonly aborted: Record<AbortPhase, number> = {
    receiving: 0,
    waiting: 0,
    prefilling: 0,
    streaming: 0,
  };
  readonly #recomputed: RecomputeCounts = {
    missing_params: 0,
    wrong_prompt: 0,
    unknown: 0,
    mangled_params: 0,
    fetch_failed: 0,
  };
  #protocolViolations = 0;
  readonly #violations: string[] = [];
  readonly #requestIds: string[] = [];

  countRecompute(reason: string): void {
    this.#recomputed[reason] = (this.#recomputed[reason] ?? 0) + 1;
  }

  countViolation(text: string): void {
    this.#protocolViolations++;
    this.#violations.push(text);
    if (this.#violations.length > violationTextsMax) this.#violations.shift();
  }

  countRequest(requestId: string): void {
    this.requestsSeen++;
    this.#requestIds.push(requestId);
    // Drops half of the ring at a time, because shifting an array costs its length.
    if (this.#requestIds.length >= 2 * requestIdsMax) this.#requestIds.splice(0, requestIdsMax);
  }

  /** Copies, as members of `EngineState`. */
  state() {
    return {
      requestsSeen: this.requestsSeen,
      remotePrefills: this.remotePrefills,
      failed: this.failed,
      protocolViolations: this.#protocolViolations,
      recomputed: { ...this.#recomputed },
      aborted: { ...this.aborted },
      violations: [...this.#violations],
      requestIds: this.#requestIds.slice(-requestIdsMax),
    };
  }
}
