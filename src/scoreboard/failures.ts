/** Failures of each engine for `maxFails`, counted as nginx does, and the times that belong to them. */
import {
  type ScoreboardArrays,
  sharedFailAccessedAt,
  sharedFailCheckedAt,
  sharedFields,
  totalFails,
  totalFields,
} from "./layout.ts";

export class FailureCounts {
  readonly #totals: Int32Array;
  readonly #shared: Float64Array;

  constructor({ totals, shared }: ScoreboardArrays) {
    this.#totals = totals;
    this.#shared = shared;
  }

  count(slot: number): number {
    return this.#totals[slot * totalFields + totalFails]!;
  }

  add(slot: number): void {
    Atomics.add(this.#totals, slot * totalFields + totalFails, 1);
  }

  clear(slot: number): void {
    Atomics.store(this.#totals, slot * totalFields + totalFails, 0);
  }

  /** When the current `failTimeoutMs` started, in ms since the epoch. */
  checkedAt(slot: number): number {
    return this.#shared[slot * sharedFields + sharedFailCheckedAt]!;
  }

  setCheckedAt(slot: number, ms: number): void {
    this.#shared[slot * sharedFields + sharedFailCheckedAt] = ms;
  }

  /** When the last failure was counted, in ms since the epoch. */
  accessedAt(slot: number): number {
    return this.#shared[slot * sharedFields + sharedFailAccessedAt]!;
  }

  setAccessedAt(slot: number, ms: number): void {
    this.#shared[slot * sharedFields + sharedFailAccessedAt] = ms;
  }
}
