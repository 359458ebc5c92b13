/** What engines report of their own load: requests that other clients sent, and how full the KV cache is. */
import {
  rowPromptTokens,
  rowResponseTokens,
  type ScoreboardArrays,
  sharedFields,
  sharedKvUse,
  sharedKvUseAtTokens,
  sumOf,
  totalExternal,
  totalFields,
  totalHasKvUse,
} from "./layout.ts";

export class EngineSignals {
  readonly #arrays: ScoreboardArrays;
  readonly #totals: Int32Array;
  readonly #shared: Float64Array;

  constructor(arrays: ScoreboardArrays) {
    this.#arrays = arrays;
    this.#totals = arrays.totals;
    this.#shared = arrays.shared;
  }

  /**
   * Stores a report of the engine.
   * @param externalRequests requests at the engine that this proxy did not send
   * @param kvUse the share of its KV cache that is in use; undefined = it does not report it
   */
  set(slot: number, externalRequests: number, kvUse: number | undefined): void {
    // Each number stands for itself: reading a new one beside an old one does no harm.
    const at = slot * sharedFields;
    this.#shared[at + sharedKvUseAtTokens] = this.#kvTokens(slot);
    this.#shared[at + sharedKvUse] = kvUse ?? 0;
    this.#totals[slot * totalFields + totalHasKvUse] = kvUse === undefined ? 0 : 1;
    this.#totals[slot * totalFields + totalExternal] = externalRequests;
  }

  /** The engine's reports are no longer available. */
  clear(slot: number): void {
    this.set(slot, 0, undefined);
  }

  /** Requests at the engine that other clients sent there, by the last report; 0 = none, or it is not known. */
  externalRequests(slot: number): number {
    return this.#totals[slot * totalFields + totalExternal]!;
  }

  /** The share of the KV cache in use, by the last report; -1 = it is not known. */
  kvUse(slot: number): number {
    const isKnown = this.#totals[slot * totalFields + totalHasKvUse] === 1;
    return isKnown ? this.#shared[slot * sharedFields + sharedKvUse]! : -1;
  }

  /** By how many tokens this proxy's use of the KV cache has grown since `kvUse` was reported. */
  tokensSinceKvUse(slot: number): number {
    return this.#kvTokens(slot) - this.#shared[slot * sharedFields + sharedKvUseAtTokens]!;
  }

  #kvTokens(slot: number): number {
    return (
      sumOf(this.#arrays, slot, rowPromptTokens) + sumOf(this.#arrays, slot, rowResponseTokens)
    );
  }
}
