/** Failures of each engine in a row, or for `maxFails` as nginx counts them, and the times that belong to those. */
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

  /** @returns how many there are now */
  add(slot: number): number {
    return Atomics.add(this.#totals, slot * totalFields + totalFails, 1) + 1;
  }

  /** One of them was no failure of the engine. @returns how many there are now */
  takeBack(slot: number): number {
    const at = slot * totalFields + totalFails;
    const before = Atomics.load(this.#totals, at);
    if (before === 0) return 0;
    // If another worker has changed the number meanwhile, one too many is counted: no harm.
    Atomics.compareExchange(this.#totals, at, before, before - 1);
    return before - 1;
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
