/**
 * When an engine that fails is taken out of its pool for a while. `FailureEjection` is nginx's rule (`max_fails`,
 * `fail_timeout`). Another rule, such as outlier ejection by error rate or latency, implements the same interface and
 * is chosen in `health.ts`.
 */
import type { Scoreboard } from "../scoreboard/scoreboard.ts";
import type { Engine } from "./engine.ts";

export interface EjectionRule {
  /** Asked of each engine for each request: no allocation, no atomic read. */
  isEjected(engine: Engine, nowMs: number): boolean;
  /** A request was given to the engine. */
  picked(engine: Engine, nowMs: number): void;
  failed(engine: Engine, nowMs: number): void;
  /** A response of the engine began. */
  succeeded(engine: Engine): void;
}

/** `maxFails` failures eject an engine for `failTimeoutMs`. Counts are on the scoreboard, so all workers agree. */
export class FailureEjection implements EjectionRule {
  readonly #board: Scoreboard;
  /** An engine that is alone in its pool is never ejected: to try it is better than to reject all requests. */
  readonly #isAlone: boolean;

  constructor(board: Scoreboard, poolSize: number) {
    this.#board = board;
    this.#isAlone = poolSize === 1;
  }

  isEjected({ slot, maxFails, failTimeoutMs }: Engine, nowMs: number): boolean {
    return (
      maxFails > 0 &&
      !this.#isAlone &&
      this.#board.failures.count(slot) >= maxFails &&
      nowMs - this.#board.failures.checkedAt(slot) <= failTimeoutMs
    );
  }

  /** The first request after an ejection is a probe: until it has ended, the engine stays ejected for all others. */
  picked({ slot, failTimeoutMs }: Engine, nowMs: number): void {
    const board = this.#board;
    if (board.failures.count(slot) === 0) return;
    if (nowMs - board.failures.checkedAt(slot) > failTimeoutMs)
      board.failures.setCheckedAt(slot, nowMs);
  }

  failed({ slot }: Engine, nowMs: number): void {
    this.#board.failures.add(slot);
    this.#board.failures.setAccessedAt(slot, nowMs);
    this.#board.failures.setCheckedAt(slot, nowMs);
  }

  /** As in nginx, a success clears the failures only if its request began after the last failure. */
  succeeded({ slot }: Engine): void {
    const board = this.#board;
    if (board.failures.count(slot) === 0) return;
    if (board.failures.accessedAt(slot) < board.failures.checkedAt(slot))
      board.failures.clear(slot);
  }
}
