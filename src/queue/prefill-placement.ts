/**
 * Where a held prompt goes: to the engine with the least of wait, own prefill, and work that another engine's cache would save. Such work costs
 * more than its own time: all that wait are the later for it. So each ms of it counts once, and once more for each prompt that
 * waits per engine.
 *
 * Loops over all engines go over typed arrays and call nothing: 64 engines take 0.2 µs, where a call for each took 1 µs and more.
 */

import { baseMs, PrefillCost, rateMs, shapeMs } from "../estimates/prefill-cost.ts";
import { explainedEnginesMax } from "../limits.ts";
import { lowestK } from "../policies/shared/lowest-k.ts";
import { PrefixHits, type ReportedOf } from "./prefix-hits.ts";
import type { PlacementOption, QueuedPrompt } from "./queued-prompt.ts";

/** Scores that differ by less than this share of a prompt's shortest prefill are equal: more is not known of engines. */
const tieShare = 0.02;
/** More prompts that wait per engine than this count as so many: none must wait without end for an engine that hangs. */
const waitingMax = 32;

export interface PlacesOptions {
  /** Weight of work that is done although another engine's cache would save it. */
  readonly duplicateWeight: number;
  /** Blocks of prompts that are remembered per engine, until it is learnt how many it holds. */
  readonly blocksMax: number;
}

export class PrefillPlacement {
  /** Predicted waits of engines that are fit, in ms; those who place prompts there add to them. */
  readonly waitMs: Float64Array;
  readonly isAvailable: Uint8Array;
  readonly cost: PrefillCost;
  readonly hits: PrefixHits;
  readonly #engines: number;
  readonly #options: PlacesOptions;
  /** Reused by each placing; infinite = not in question. */
  readonly #scores: Float64Array;
  #duplicateWeight = 1;

  constructor(engines: number, options: PlacesOptions, reportedOf: ReportedOf) {
    this.#engines = engines;
    this.#options = options;
    this.hits = new PrefixHits(engines, options.blocksMax, reportedOf);
    this.cost = new PrefillCost(engines);
    this.waitMs = new Float64Array(engines);
    this.isAvailable = new Uint8Array(engines);
    this.#scores = new Float64Array(engines);
  }

  adopt(engine: number, other: PrefillPlacement, from: number): void {
    this.hits.adopt(engine, other.hits, from);
    this.cost.adopt(engine, other.cost, from);
  }

  /** Before prompts are placed: how many of them wait for how many engines. */
  begin(waiting: number, fit: number): void {
    const perEngine = Math.min(waitingMax, waiting / fit);
    this.#duplicateWeight = this.#options.duplicateWeight * (1 + perEngine);
  }

  /** Its shortest predicted prefill at engines that are fit, in ms; 0 = there are none. */
  look(held: QueuedPrompt): void {
    const { tokens } = held.prompt;
    const { isAvailable } = this;
    const { factors } = this.cost;
    const hits = this.hits.of(held);
    const rate = rateMs(tokens);
    let leastMs = Number.POSITIVE_INFINITY;
    let leastUncached = tokens;
    for (let engine = 0; engine < this.#engines; engine += 1) {
      if (isAvailable[engine] === 0) continue;
      const uncached = Math.max(1, tokens - hits[engine]!);
      const ms = factors[engine]! * (baseMs + uncached * rate);
      if (ms < leastMs) leastMs = ms;
      if (uncached < leastUncached) leastUncached = uncached;
    }
    held.leastMs = Number.isFinite(leastMs) ? leastMs : 0;
    held.leastUncached = leastUncached;
  }

  /** The best of the engines that are fit, of which there is one. */
  best(held: QueuedPrompt): number {
    this.#score(held, this.#duplicateWeight);
    return this.#least(held);
  }

  /** The best of where it waited last and of some others. */
  bestOf(held: QueuedPrompt, engines: Int32Array, count: number): number {
    const { tokens } = held.prompt;
    const { factors } = this.cost;
    const hits = this.hits.of(held);
    const rate = rateMs(tokens);
    const leastShapeMs = baseMs + held.leastUncached * rate;
    let best = held.target;
    let least = Number.POSITIVE_INFINITY;
    for (let i = -1; i < count; i += 1) {
      const engine = i < 0 ? held.target : engines[i]!;
      const shape = baseMs + Math.max(1, tokens - hits[engine]!) * rate;
      const costs = shape + this.#duplicateWeight * (shape - leastShapeMs);
      const score = this.waitMs[engine]! + factors[engine]! * costs;
      if (score >= least) continue;
      least = score;
      best = engine;
    }
    return best;
  }

  /**
   * Of engines that nobody waits for, the best for a prompt that could end earlier there than where it waits; -1 = there is none. Work that is done
   * again there costs its own time, and what it pushes out of the cache.
   */
  bestUnwanted(held: QueuedPrompt, isUnwanted: (engine: number) => boolean): number {
    this.#score(held, this.#options.duplicateWeight);
    let isAny = false;
    for (let engine = 0; engine < this.#engines; engine += 1) {
      if (this.#scores[engine]! < held.endsInMs && isUnwanted(engine)) isAny = true;
      else this.#scores[engine] = Number.POSITIVE_INFINITY;
    }
    return isAny ? this.#least(held) : -1;
  }

  /** It is to be prefilled there; until then and it, so many ms. */
  add(held: QueuedPrompt, engine: number): number {
    const ms = this.waitMs[engine]! + this.predict(held, engine);
    this.waitMs[engine] = ms;
    return ms;
  }

  /** What speaks for the chosen engine, before it is added there, and for those that come closest. */
  explain(held: QueuedPrompt, chosen: number): PlacementOption[] {
    this.#score(held, this.#duplicateWeight);
    const numbers = lowestK(this.#engines, explainedEnginesMax, (one) => this.#scores[one]!);
    if (!numbers.includes(chosen)) numbers[numbers.length - 1] = chosen;
    return numbers
      .filter((number) => this.isAvailable[number] === 1)
      .map((number) => ({
        number,
        waitMs: this.waitMs[number]!,
        uncachedTokens: this.uncached(held, number),
        prefillMs: this.predict(held, number),
        score: this.#scores[number]!,
      }));
  }

  /** Tokens that the engine would have to compute: the last one at least. */
  uncached(held: QueuedPrompt, engine: number): number {
    return Math.max(1, held.prompt.tokens - this.hits.of(held)[engine]!);
  }

  /** In ms. */
  predict(held: QueuedPrompt, engine: number): number {
    return this.cost.predict(engine, this.uncached(held, engine), held.prompt.tokens);
  }

  /** Its shortest predicted prefill, were nothing of it cached anywhere. */
  wholeMs({ prompt: { tokens } }: QueuedPrompt): number {
    const { factors } = this.cost;
    let least = Number.POSITIVE_INFINITY;
    for (let engine = 0; engine < this.#engines; engine += 1) {
      if (this.isAvailable[engine] === 1 && factors[engine]! < least) least = factors[engine]!;
    }
    return least * shapeMs(tokens, tokens);
  }

  /** Of all engines; infinite where one is not fit. */
  #score(held: QueuedPrompt, duplicateWeight: number): void {
    const { tokens } = held.prompt;
    const { isAvailable, waitMs } = this;
    const { factors } = this.cost;
    const hits = this.hits.of(held);
    const scores = this.#scores;
    const rate = rateMs(tokens);
    // At each engine's pace: that it is slow is in its own prefill.
    const leastShapeMs = baseMs + held.leastUncached * rate;
    for (let engine = 0; engine < this.#engines; engine += 1) {
      const shape = baseMs + Math.max(1, tokens - hits[engine]!) * rate;
      const costs = shape + duplicateWeight * (shape - leastShapeMs);
      scores[engine] =
        isAvailable[engine] === 1
          ? waitMs[engine]! + factors[engine]! * costs
          : Number.POSITIVE_INFINITY;
    }
  }

  /** Of those that are as good, the one with the most room in its cache: what is kept there is kept longest. */
  #least(held: QueuedPrompt): number {
    const scores = this.#scores;
    let least = Number.POSITIVE_INFINITY;
    for (let engine = 0; engine < this.#engines; engine += 1) {
      if (scores[engine]! < least) least = scores[engine]!;
    }
    const enough = least + tieShare * held.leastMs;
    let best = -1;
    for (let engine = 0; engine < this.#engines; engine += 1) {
      if (scores[engine]! > enough) continue;
      if (best < 0 || this.hits.size(engine) < this.hits.size(best)) best = engine;
    }
    return best;
  }
}
