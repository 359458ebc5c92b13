/**
 * Engines that are new in their pool, or back from failures, are given little at first: their weight grows to what it is configured as, as with nginx's
 * `slow_start` and Envoy's slow start mode, whose least share this is. Engines that start together are as before, as only shares count.
 */
import type { Scoreboard } from "../scoreboard/scoreboard.ts";

const leastShare = 0.1;

export class SlowStart {
  readonly #slots: Int32Array;
  readonly #board: Scoreboard;
  /** As configured, and as policies see them. */
  readonly #nominal: Float64Array;
  readonly #weights: Float64Array;
  readonly #windowsMs: readonly number[];

  /** @param windowsMs of each engine, how long it takes; 0 = nothing is held back */
  constructor(
    board: Scoreboard,
    slots: Int32Array,
    weights: Float64Array,
    windowsMs: readonly number[],
  ) {
    this.#board = board;
    this.#slots = slots;
    this.#nominal = weights.slice();
    this.#weights = weights;
    this.#windowsMs = windowsMs;
  }

  /** To be called before a choice. @param isFit whether an engine takes requests; those that do not begin anew later */
  update(nowMs: number, isAvailable: (engine: number) => boolean): void {
    for (let engine = 0; engine < this.#slots.length; engine += 1) {
      const windowMs = this.#windowsMs[engine]!;
      if (windowMs === 0) continue;
      const share = this.#ageMs(engine, nowMs, isAvailable(engine)) / windowMs;
      const weight = this.#nominal[engine]!;
      this.#weights[engine] = weight * Math.min(1, Math.max(leastShare, share));
    }
  }

  /** Since it has been taking requests, for any worker. */
  #ageMs(engine: number, nowMs: number, isAvailable: boolean): number {
    const slot = this.#slots[engine]!;
    const sinceMs = this.#board.startedAt(slot);
    if (isAvailable && sinceMs > 0) return nowMs - sinceMs;
    if (isAvailable || sinceMs > 0) this.#board.setStartedAt(slot, isAvailable ? nowMs : 0);
    return 0;
  }
}
