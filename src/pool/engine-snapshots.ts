/**
 * The state of a pool's engines when one of them was chosen, for explanations. Recorded before the choice into arrays
 * that are used again, so nothing is allocated per engine; of 1,000 engines only the chosen one and the closest few are
 * reported.
 */
import { explainedEnginesMax } from "../limits.ts";
import { lowestK } from "../policies/shared/lowest-k.ts";
import type { PickRequest, Policy } from "../policies/shared/policy.ts";
import { type Engine, hasCapacity } from "./engine.ts";
import type { EngineSnapshot, RequestReason } from "./engine-snapshot.ts";
import { type EngineStateReport, engineStateOf, type PoolHealth } from "./health/engine-state.ts";

export class EngineSnapshots {
  readonly #engines: readonly Engine[];
  readonly #pool: PoolHealth;
  readonly #states: EngineStateReport[];
  /** Undefined = nothing of the request speaks against the engine. */
  readonly #reasons: (RequestReason | undefined)[];
  /** 1 = it could be chosen. */
  readonly #candidates: Uint8Array;
  readonly #inFlight: Int32Array;
  readonly #promptBytes: Float64Array;
  /** NaN = the policy does not rank by one number. */
  readonly #scores: Float64Array;

  constructor(engines: readonly Engine[], pool: PoolHealth) {
    this.#engines = engines;
    this.#pool = pool;
    this.#states = new Array<EngineStateReport>(engines.length).fill({ state: "healthy" });
    this.#reasons = new Array<RequestReason | undefined>(engines.length).fill(undefined);
    this.#candidates = new Uint8Array(engines.length);
    this.#inFlight = new Int32Array(engines.length);
    this.#promptBytes = new Float64Array(engines.length);
    this.#scores = new Float64Array(engines.length);
  }

  /** Call before the pick. @param tried slots of the engines that the leg has tried already */
  record(
    request: PickRequest,
    tried: readonly number[],
    nowMs: number,
    policy: Pick<Policy, "score">,
  ): void {
    const { board } = this.#pool;
    let isPrimaryFree = false;
    for (const engine of this.#engines) {
      const { index, slot, backup } = engine;
      const reason = reasonOf(engine, request, tried);
      const isCandidate = reason === undefined && this.#takes(engine, request, nowMs);
      isPrimaryFree ||= isCandidate && !backup;
      this.#states[index] = engineStateOf(this.#pool, engine, nowMs);
      this.#reasons[index] = reason;
      this.#candidates[index] = Number(isCandidate);
      this.#inFlight[index] = board.inFlight(slot);
      this.#promptBytes[index] = board.promptBytes(slot);
      this.#scores[index] = policy.score?.(index, request) ?? Number.NaN;
    }
    if (!isPrimaryFree) return;
    for (const { backup, index } of this.#engines) {
      if (!backup || this.#candidates[index] === 0) continue;
      this.#candidates[index] = 0;
      this.#reasons[index] = "backup";
    }
  }

  #takes(engine: Engine, { requiredEngine }: PickRequest, nowMs: number): boolean {
    const { health, board } = this.#pool;
    const isAvailable =
      requiredEngine === undefined
        ? health.isAvailable(engine, nowMs)
        : health.isAvailableToBound(engine, nowMs);
    return isAvailable && hasCapacity(engine, board);
  }

  /** Of the last `record`: the chosen engine first, then those with the lowest scores. @param chosen -1 = none */
  closest(chosen: number): EngineSnapshot[] {
    const rank = (engine: number) => {
      if (engine === chosen) return Number.NEGATIVE_INFINITY;
      if (this.#candidates[engine] === 0) return Number.POSITIVE_INFINITY;
      const score = this.#scores[engine]!;
      return Number.isNaN(score) ? 0 : score;
    };
    return lowestK(this.#engines.length, explainedEnginesMax, rank).map((engine) => {
      const score = this.#scores[engine]!;
      const { state, why } = this.#stateOf(engine);
      return {
        engine: this.#engines[engine]!.name,
        state,
        ...(why !== undefined && { why }),
        ...(this.#candidates[engine] === 0 && { isCandidate: false as const }),
        inFlight: this.#inFlight[engine]!,
        promptBytes: this.#promptBytes[engine]!,
        ...(!Number.isNaN(score) && { score }),
      };
    });
  }

  /** What the request has against an engine counts before what is wrong with it. */
  #stateOf(engine: number): Pick<EngineSnapshot, "state" | "why"> {
    const report = this.#states[engine]!;
    const reason = this.#reasons[engine];
    return reason === undefined ? report : { state: report.state, why: reason };
  }
}

function reasonOf(
  { index, slot }: Engine,
  { requiredEngine, holders }: PickRequest,
  tried: readonly number[],
): RequestReason | undefined {
  if (tried.includes(slot)) return "tried";
  if (requiredEngine !== undefined && requiredEngine !== index) return "other";
  return holders?.[index] === 0 ? "model" : undefined;
}
