/**
 * Engines that are new in their pool, or back after an ejection, get few requests at first: their weight grows to the
 * configured one, as with nginx's `slow_start` and Envoy's slow start mode, whose least share this is. If all engines
 * start together, each has its full share, since only the ratio of weights counts.
 */
import type { Scoreboard } from "../../scoreboard/scoreboard.ts";
import type { Engine } from "../engine.ts";

const leastShare = 0.1;

export class SlowStart {
  readonly #board: Scoreboard;
  readonly #weights: Float64Array;

  /** @param weights those that policies read, by engine */
  constructor(board: Scoreboard, weights: Float64Array) {
    this.#board = board;
    this.#weights = weights;
  }

  /** Call before a pick, for each engine. One that is not available starts anew when it is back. */
  update(engine: Engine, nowMs: number, isAvailable: boolean): void {
    const { index, slot, weight, slowStartMs } = engine;
    if (slowStartMs === 0) return;
    const share = this.#ageMs(slot, nowMs, isAvailable) / slowStartMs;
    this.#weights[index] = weight * Math.min(1, Math.max(leastShare, share));
  }

  /** How long the engine has been available, to any worker. */
  #ageMs(slot: number, nowMs: number, isAvailable: boolean): number {
    const sinceMs = this.#board.startedAt(slot);
    if (isAvailable && sinceMs > 0) return nowMs - sinceMs;
    if (isAvailable || sinceMs > 0) this.#board.setStartedAt(slot, isAvailable ? nowMs : 0);
    return 0;
  }
}
