/**
 * Engines that have said that they have too much to do (429, 503): they work, and get no further requests until their
 * `Retry-After` is over, as long as another engine of the pool can take them.
 */
import type { Scoreboard } from "../../scoreboard/scoreboard.ts";
import type { Engine } from "../engine.ts";

export class Backpressure {
  readonly #board: Scoreboard;
  readonly #engines: readonly Engine[];
  /** Whether the engine works at all. */
  readonly #isHealthy: (engine: Engine, nowMs: number) => boolean;

  constructor(
    board: Scoreboard,
    engines: readonly Engine[],
    isHealthy: (engine: Engine, nowMs: number) => boolean,
  ) {
    this.#board = board;
    this.#engines = engines;
    this.#isHealthy = isHealthy;
  }

  isBusy({ slot }: Engine, nowMs: number): boolean {
    return nowMs < this.#board.busyUntil(slot);
  }

  /** Whether others take the engine's requests. If all are busy, all are used: each says by itself what it can take. */
  passesOver(engine: Engine, nowMs: number): boolean {
    if (!this.isBusy(engine, nowMs)) return false;
    return this.#engines.some(
      (other) => !this.isBusy(other, nowMs) && this.#isHealthy(other, nowMs),
    );
  }
}
