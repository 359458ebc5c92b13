/**
 * Which engines of a pool take requests, and what a failure means: ejection, whose fault it was, slow start afterwards.
 * If too few are left (panic), those that seem ill are used as well, as in Envoy.
 */
import type { EjectionConfig } from "../../config/schema/pool/ejection.ts";
import { refusalsThatDoubt, suspicionMs } from "../../limits.ts";
import type { Scoreboard } from "../../scoreboard/scoreboard.ts";
import type { Engine } from "../engine.ts";
import { Backpressure } from "./backpressure.ts";
import { type EjectionRule, FailureEjection, type FailureKind } from "./ejection.ts";
import { OutlierEjection } from "./outlier-ejection.ts";
import { SlowStart } from "./slow-start.ts";

/** A decode engine failed while it was to fetch a KV cache: the prefill engine may be to blame. */
interface Suspicion {
  /** The prefill engine's name. */
  readonly source: string;
  readonly sinceMs: number;
  /** Of the decode engine, since its last success. */
  failures: number;
}

export class Health {
  readonly #board: Scoreboard;
  readonly #engines: readonly Engine[];
  readonly #ejection: EjectionRule;
  readonly #backpressure: Backpressure;
  readonly #slowStart: SlowStart | undefined;
  /** By engine, whose KV cache it has failed with since its last success. */
  readonly #suspicions: (Suspicion | undefined)[];
  readonly #panicPercent: number;
  /** When `#panics` was found out: a pick asks it of many engines in the same ms. */
  #panicAtMs = -1;
  #isPanic = false;

  /** @param weights those that policies read; slow start changes them */
  constructor(
    board: Scoreboard,
    engines: readonly Engine[],
    weights: Float64Array,
    config: EjectionConfig,
  ) {
    this.#board = board;
    this.#engines = engines;
    this.#panicPercent = config.panicPercent;
    this.#ejection =
      config.rule === "outlier"
        ? new OutlierEjection(board, engines, config)
        : new FailureEjection(board, engines);
    this.#backpressure = new Backpressure(board, engines, (engine, nowMs) =>
      this.#isUsable(engine, nowMs),
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

  /** Whether the engine takes requests now: ready, healthy or needed all the same, and not passed over as busy. */
  isAvailable(engine: Engine, nowMs: number): boolean {
    return this.#isUsable(engine, nowMs) && !this.#backpressure.passesOver(engine, nowMs);
  }

  /**
   * Whether the engine takes a request that only it can serve, such as one for a response that it has stored: also
   * while it drains, as in nginx.
   */
  isAvailableToBound(engine: Engine, nowMs: number): boolean {
    if (!engine.isDraining) return this.isAvailable(engine, nowMs);
    return !engine.down && engine.isReady && this.isHealthy(engine, nowMs);
  }

  #isUsable(engine: Engine, nowMs: number): boolean {
    if (!takesNew(engine)) return false;
    return this.isHealthy(engine, nowMs) || this.#panics(nowMs);
  }

  /** Whether the engine is ejected, and may serve all the same: better than an error, if no other engine has. */
  isLastResort(engine: Engine, nowMs: number): boolean {
    if (!takesNew(engine) || this.#board.health.isUnhealthy(engine.slot)) return false;
    return this.#ejection.isEjected(engine, nowMs) && this.#ejection.isLastResort(engine);
  }

  /** Whether its requests and its health checks succeed, as far as is known. */
  isHealthy(engine: Engine, nowMs: number): boolean {
    return !this.isEjected(engine, nowMs) && !this.#board.health.isUnhealthy(engine.slot);
  }

  /** Whether the engine is ejected because it does not respond. */
  hangs(engine: Engine, nowMs: number): boolean {
    return this.#ejection.isEjected(engine, nowMs) && !this.#ejection.isLastResort(engine);
  }

  /** Whether a request would succeed there, as far as is known: also where the engine is used for want of others. */
  isFit(engine: Engine, nowMs: number): boolean {
    if (!takesNew(engine) || this.#board.health.isUnhealthy(engine.slot)) return false;
    return !this.#ejection.isFailing(engine, nowMs);
  }

  /** Failures since its last success, also those that another engine may be to blame for. */
  failuresOf({ slot, index }: Engine): number {
    return this.#board.failures.count(slot) + (this.#suspicions[index]?.failures ?? 0);
  }

  /** Whether the engine has said that it has too much to do. */
  isBusy(engine: Engine, nowMs: number): boolean {
    return this.#backpressure.isBusy(engine, nowMs);
  }

  isEjected(engine: Engine, nowMs: number): boolean {
    return this.#ejection.isEjected(engine, nowMs);
  }

  /** Whether a failure may turn out to be the request's own, and lateness counts. */
  get blamesRequests(): boolean {
    return this.#ejection.blamesRequests;
  }

  /** Whether a response with this status is a failure. @param isRetried the route tries another engine for it */
  isFailure(status: number, isRetried: boolean): boolean {
    return this.#ejection.isFailure(status, isRetried);
  }

  picked(engine: Engine, nowMs: number): void {
    this.#ejection.picked(engine, nowMs);
  }

  /**
   * @param source the prefill engine whose KV cache the engine was to fetch, if that one may have failed instead
   * @returns whether the failure counts against the engine
   */
  failed(engine: Engine, nowMs: number, source: Engine | undefined, kind: FailureKind): boolean {
    if (source !== undefined && this.#excuses(engine, nowMs, source)) return false;
    this.#ejection.failed(engine, nowMs, kind);
    return true;
  }

  /**
   * The engine has refused a request: with 4xx, or by sending the client elsewhere.
   * @returns whether it is to be found out at another engine whose fault that is: it has refused others before
   */
  refuses({ slot }: Engine): boolean {
    const isDoubted = this.blamesRequests && this.#board.health.refusals(slot) >= refusalsThatDoubt;
    this.#board.health.addRefusal(slot);
    return isDoubted;
  }

  /** Its refusals seem to be right: another engine has refused such a request, too. */
  trustRefusals({ slot }: Engine): void {
    this.#board.health.clearRefusals(slot);
  }

  /** A failure that was counted was the request's own. */
  forgive(engine: Engine): void {
    this.#ejection.forgive(engine);
  }

  succeeded(engine: Engine, nowMs: number, tookMs: number): void {
    this.#suspicions[engine.index] = undefined;
    this.#ejection.succeeded(engine, nowMs, tookMs);
  }

  /** Whether so few engines are healthy that the others are used as well. */
  #panics(nowMs: number): boolean {
    if (this.#panicPercent === 0) return false;
    if (this.#panicAtMs === nowMs) return this.#isPanic;
    let usable = 0;
    let healthy = 0;
    for (const engine of this.#engines) {
      if (!takesNew(engine)) continue;
      usable += 1;
      if (this.isHealthy(engine, nowMs)) healthy += 1;
    }
    this.#panicAtMs = nowMs;
    this.#isPanic = healthy * 100 < usable * this.#panicPercent;
    return this.#isPanic;
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
      this.#suspicions[engine.index] = { source: source.name, sinceMs: nowMs, failures: 1 };
      return true;
    }
    before.failures += 1;
    return before.source === source.name && nowMs - before.sinceMs < suspicionMs;
  }
}

/** Whether the engine takes requests at all, if it is well. */
function takesNew({ down, isDraining, isReady }: Engine): boolean {
  return !down && !isDraining && isReady;
}
