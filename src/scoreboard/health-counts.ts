/** What all workers know of each engine's health: ejections, results of the current window, health checks. */
import {
  healthEjectedFor,
  healthEjections,
  healthFailures,
  healthFields,
  healthIsSpared,
  healthIsTried,
  healthIsUnhealthy,
  healthReason,
  healthRefusals,
  healthResults,
  poolFields,
  poolWindow,
  type ScoreboardArrays,
  sharedEjectedAt,
  sharedEjectedUntil,
  sharedFields,
} from "./layout.ts";

export class HealthCounts {
  readonly #counts: Int32Array;
  readonly #pools: Int32Array;
  readonly #shared: Float64Array;

  constructor({ health, pools, shared }: ScoreboardArrays) {
    this.#counts = health;
    this.#pools = pools;
    this.#shared = shared;
  }

  /** Until when the engine is ejected, in ms since the epoch; 0 = it has been healthy since. */
  ejectedUntil(slot: number): number {
    return this.#shared[slot * sharedFields + sharedEjectedUntil]!;
  }

  setEjectedUntil(slot: number, ms: number): void {
    this.#shared[slot * sharedFields + sharedEjectedUntil] = ms;
  }

  /** When the last ejection began, in ms since the epoch. */
  ejectedAt(slot: number): number {
    return this.#shared[slot * sharedFields + sharedEjectedAt]!;
  }

  setEjectedAt(slot: number, ms: number): void {
    this.#shared[slot * sharedFields + sharedEjectedAt] = ms;
  }

  /** Ejections that make the next one longer. */
  ejections(slot: number): number {
    return this.#counts[slot * healthFields + healthEjections]!;
  }

  setEjections(slot: number, count: number): void {
    Atomics.store(this.#counts, slot * healthFields + healthEjections, count);
  }

  /** Why the last ejection was, as a number of the rule's own. */
  reason(slot: number): number {
    return this.#counts[slot * healthFields + healthReason]!;
  }

  setReason(slot: number, reason: number): void {
    Atomics.store(this.#counts, slot * healthFields + healthReason, reason);
  }

  /** Counts an ejection. @param reason a number from 1 to 4 */
  countEjection(slot: number, reason: number): void {
    Atomics.add(this.#counts, slot * healthFields + healthEjectedFor + reason - 1, 1);
  }

  /** How often the engine was ejected for this reason. */
  ejectedFor(slot: number, reason: number): number {
    return this.#counts[slot * healthFields + healthEjectedFor + reason - 1]!;
  }

  /** Whether one request tries the engine after an ejection. */
  isTried(slot: number): boolean {
    return this.#counts[slot * healthFields + healthIsTried] === 1;
  }

  setTried(slot: number, isTried: boolean): void {
    Atomics.store(this.#counts, slot * healthFields + healthIsTried, isTried ? 1 : 0);
  }

  /** Whether the engine would be ejected if less of its pool were. */
  isSpared(slot: number): boolean {
    return this.#counts[slot * healthFields + healthIsSpared] === 1;
  }

  setSpared(slot: number, isSpared: boolean): void {
    Atomics.store(this.#counts, slot * healthFields + healthIsSpared, isSpared ? 1 : 0);
  }

  /** Whether the engine's health checks fail. A plain read is never torn. */
  isUnhealthy(slot: number): boolean {
    return this.#counts[slot * healthFields + healthIsUnhealthy] === 1;
  }

  setUnhealthy(slot: number, isUnhealthy: boolean): void {
    Atomics.store(this.#counts, slot * healthFields + healthIsUnhealthy, isUnhealthy ? 1 : 0);
  }

  /** Requests that the engine has refused since another one has refused one of them as well. */
  refusals(slot: number): number {
    return this.#counts[slot * healthFields + healthRefusals]!;
  }

  addRefusal(slot: number): void {
    Atomics.add(this.#counts, slot * healthFields + healthRefusals, 1);
  }

  clearRefusals(slot: number): void {
    Atomics.store(this.#counts, slot * healthFields + healthRefusals, 0);
  }

  /** Counts the result of a request in the current window. */
  addResult(slot: number, isFailure: boolean): void {
    const at = slot * healthFields;
    Atomics.add(this.#counts, at + healthResults, 1);
    if (isFailure) Atomics.add(this.#counts, at + healthFailures, 1);
  }

  /** A failure of the window was none of the engine's. */
  takeBackFailure(slot: number): void {
    const at = slot * healthFields + healthFailures;
    const before = Atomics.load(this.#counts, at);
    if (before > 0) Atomics.compareExchange(this.#counts, at, before, before - 1);
  }

  results(slot: number): number {
    return this.#counts[slot * healthFields + healthResults]!;
  }

  windowFailures(slot: number): number {
    return this.#counts[slot * healthFields + healthFailures]!;
  }

  /** A new window begins. */
  clearResults(slot: number): void {
    const at = slot * healthFields;
    Atomics.store(this.#counts, at + healthResults, 0);
    Atomics.store(this.#counts, at + healthFailures, 0);
  }

  /**
   * The window of a pool has this number now. @returns true for the one worker that is to judge the window before
   * @param poolSlot the pool's first slot
   */
  startsWindow(poolSlot: number, window: number): boolean {
    const at = poolSlot * poolFields + poolWindow;
    const before = this.#pools[at]!;
    if (before === window) return false;
    return Atomics.compareExchange(this.#pools, at, before, window) === before;
  }
}
