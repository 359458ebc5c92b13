/**
 * What a pool's engines were like when one of them was chosen. Written down before it is known which, and without making anything: of
 * 1,000 engines the chosen one and a few others are told of.
 */
import { explainedEnginesMax } from "../limits.ts";
import { lowestK } from "../policies/shared/lowest-k.ts";
import type { EngineSnapshot } from "./engine-snapshot.ts";

type State = EngineSnapshot["state"];

export class EngineSnapshots {
  readonly #names: readonly string[];
  readonly #states: State[];
  readonly #inFlight: Int32Array;
  readonly #promptBytes: Float64Array;
  /** NaN = the policy goes by more than one number. */
  readonly #scores: Float64Array;

  /** @param names of the engines, by their numbers */
  constructor(names: readonly string[]) {
    this.#names = names;
    this.#states = new Array<State>(names.length).fill("fit");
    this.#inFlight = new Int32Array(names.length);
    this.#promptBytes = new Float64Array(names.length);
    this.#scores = new Float64Array(names.length);
  }

  see(
    engine: number,
    state: State,
    inFlight: number,
    promptBytes: number,
    score: number | undefined,
  ): void {
    this.#states[engine] = state;
    this.#inFlight[engine] = inFlight;
    this.#promptBytes[engine] = promptBytes;
    this.#scores[engine] = score ?? Number.NaN;
  }

  /** @param chosen -1 = none; else it stands first, before those that came closest */
  reported(chosen: number): EngineSnapshot[] {
    const rank = (engine: number) => {
      if (engine === chosen) return Number.NEGATIVE_INFINITY;
      if (this.#states[engine] !== "fit") return Number.POSITIVE_INFINITY;
      const score = this.#scores[engine]!;
      return Number.isNaN(score) ? 0 : score;
    };
    return lowestK(this.#names.length, explainedEnginesMax, rank).map((engine) => {
      const score = this.#scores[engine]!;
      return {
        engine: this.#names[engine]!,
        state: this.#states[engine]!,
        inFlight: this.#inFlight[engine]!,
        promptBytes: this.#promptBytes[engine]!,
        ...(!Number.isNaN(score) && { score }),
      };
    });
  }
}
