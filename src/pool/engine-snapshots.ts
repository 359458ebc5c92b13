/**
 * The state of a pool's engines when one of them was chosen, for explanations. Recorded before the choice into arrays
 * that are used again, so nothing is allocated per engine; of 1,000 engines only the chosen one and the closest few are
 * reported.
 */
import { explainedEnginesMax } from "../limits.ts";
import { lowestK } from "../policies/shared/lowest-k.ts";
import type { PickRequest, Policy } from "../policies/shared/policy.ts";
import type { Scoreboard } from "../scoreboard/scoreboard.ts";
import { type Engine, hasCapacity } from "./engine.ts";
import type { EngineSnapshot } from "./engine-snapshot.ts";
import type { Health } from "./health/health.ts";

type State = EngineSnapshot["state"];

export class EngineSnapshots {
  readonly #engines: readonly Engine[];
  readonly #health: Health;
  readonly #board: Scoreboard;
  readonly #states: State[];
  readonly #inFlight: Int32Array;
  readonly #promptBytes: Float64Array;
  /** NaN = the policy does not rank by one number. */
  readonly #scores: Float64Array;

  constructor(engines: readonly Engine[], health: Health, board: Scoreboard) {
    this.#engines = engines;
    this.#health = health;
    this.#board = board;
    this.#states = new Array<State>(engines.length).fill("healthy");
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
    const board = this.#board;
    let isPrimaryFree = false;
    for (const engine of this.#engines) {
      const { index, slot } = engine;
      const state = this.#stateOf(engine, nowMs, request, tried);
      isPrimaryFree ||= state === "healthy" && !engine.backup;
      this.#states[index] = state;
      this.#inFlight[index] = board.inFlight(slot);
      this.#promptBytes[index] = board.promptBytes(slot);
      this.#scores[index] = policy.score?.(index, request) ?? Number.NaN;
    }
    if (!isPrimaryFree) return;
    for (const { backup, index } of this.#engines) {
      if (backup && this.#states[index] === "healthy") this.#states[index] = "backup";
    }
  }

  /** Whether the engine would be given the request now, or why not. */
  #stateOf(
    engine: Engine,
    nowMs: number,
    { requiredEngine }: PickRequest,
    tried: readonly number[],
  ): State {
    if (engine.down) return "down";
    if (engine.isDraining && requiredEngine !== engine.index) return "draining";
    if (!engine.isReady) return "starting";
    if (tried.includes(engine.slot)) return "tried";
    if (this.#health.isEjected(engine, nowMs)) return "ejected";
    if (this.#health.isBusy(engine, nowMs)) return "busy";
    if (requiredEngine !== undefined && requiredEngine !== engine.index) return "other";
    return hasCapacity(engine, this.#board) ? "healthy" : "full";
  }

  /** Of the last `record`: the chosen engine first, then those with the lowest scores. @param chosen -1 = none */
  closest(chosen: number): EngineSnapshot[] {
    const rank = (engine: number) => {
      if (engine === chosen) return Number.NEGATIVE_INFINITY;
      if (this.#states[engine] !== "healthy") return Number.POSITIVE_INFINITY;
      const score = this.#scores[engine]!;
      return Number.isNaN(score) ? 0 : score;
    };
    return lowestK(this.#engines.length, explainedEnginesMax, rank).map((engine) => {
      const score = this.#scores[engine]!;
      return {
        engine: this.#engines[engine]!.name,
        state: this.#states[engine]!,
        inFlight: this.#inFlight[engine]!,
        promptBytes: this.#promptBytes[engine]!,
        ...(!Number.isNaN(score) && { score }),
      };
    });
  }
}
