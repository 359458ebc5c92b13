/**
 * Which engines of a pool take requests, and what a failure means: ejection, whose fault it was, slow start afterwards.
 */
import { suspicionMs } from "../limits.ts";
import type { Scoreboard } from "../scoreboard/scoreboard.ts";
import { Backpressure } from "./backpressure.ts";
import { type EjectionRule, FailureEjection } from "./ejection.ts";
import type { Engine } from "./engine.ts";
import { SlowStart } from "./slow-start.ts";

/** A decode engine failed while it was to fetch a KV cache: the prefill engine may be to blame. */
interface Suspicion {
  /** The prefill engine's name. */
  readonly source: string;
  readonly sinceMs: number;
}

export class Health {
  readonly #board: Scoreboard;
  readonly #engines: readonly Engine[];
  readonly #ejection: EjectionRule;
  readonly #backpressure: Backpressure;
  readonly #slowStart: SlowStart | undefined;
  /** By engine, whose KV cache it has failed with since its last success. */
  readonly #suspicions: (Suspicion | undefined)[];

  /** @param weights those that policies read; slow start changes them */
  constructor(board: Scoreboard, engines: readonly Engine[], weights: Float64Array) {
    this.#board = board;
    this.#engines = engines;
    this.#ejection = new FailureEjection(board, engines.length);
    this.#backpressure = new Backpressure(board, engines, (engine, nowMs) =>
      this.#isHealthy(engine, nowMs),
    );
    this.#suspicions = new Array<Suspicion | undefined>(engines.length).fill(undefined);
    if (engines.some(({ slowStartMs }) => slowStartMs > 0)) {
      this.#slowStart = new SlowStart(board, weights);
    }
  }

  /** Call before each pick: updates the weights of engines in slow start. */
  refresh(nowMs: number): void {
    if (this.#slowStart === undefined) return;
    for (const engine of this.#engines) {
      this.#slowStart.update(engine, nowMs, this.isAvailable(engine, nowMs));
    }
  }

  /** Whether the engine takes requests now: configured as up, ready, not ejected, and not passed over as busy. */
  isAvailable(engine: Engine, nowMs: number): boolean {
    return this.#isHealthy(engine, nowMs) && !this.#backpressure.passesOver(engine, nowMs);
  }

  #isHealthy(engine: Engine, nowMs: number): boolean {
    return !engine.down && engine.isReady && !this.#ejection.isEjected(engine, nowMs);
  }

  /** Whether the engine has said that it has too much to do. */
  isBusy(engine: Engine, nowMs: number): boolean {
    return this.#backpressure.isBusy(engine, nowMs);
  }

  isEjected(engine: Engine, nowMs: number): boolean {
    return this.#ejection.isEjected(engine, nowMs);
  }

  picked(engine: Engine, nowMs: number): void {
    this.#ejection.picked(engine, nowMs);
  }

  /**
   * @param source the prefill engine whose KV cache the engine was to fetch, if that one may have failed instead
   * @returns whether the failure counts against the engine
   */
  failed(engine: Engine, nowMs: number, source?: Engine): boolean {
    if (source !== undefined && this.#excuses(engine, nowMs, source)) return false;
    this.#ejection.failed(engine, nowMs);
    return true;
  }

  succeeded(engine: Engine): void {
    this.#suspicions[engine.index] = undefined;
    this.#ejection.succeeded(engine);
  }

  /**
   * When a prefill engine dies, every decode engine that was to fetch from it fails as well, and would be ejected with
   * it. A decode engine is to blame if it fails with the caches of two prefill engines, or still fails after a dead
   * prefill engine would have failed itself.
   */
  #excuses(engine: Engine, nowMs: number, source: Engine): boolean {
    if (this.#board.failures.count(source.slot) > 0) return true;
    const before = this.#suspicions[engine.index];
    if (before === undefined) {
      this.#suspicions[engine.index] = { source: source.name, sinceMs: nowMs };
      return true;
    }
    return before.source === source.name && nowMs - before.sinceMs < suspicionMs;
  }
}
