/**
 * Where a prompt goes: to the engine with the lowest sum of wait, its own prefill there, and work that another engine's
 * cache would save. Such work costs more than its own time, because it delays all that wait. So each ms of it counts
 * once, and once more for each prompt that waits per engine.
 *
 * Loops over all engines use typed arrays and call nothing: 64 engines take 0.2 µs, where a call for each took 1 µs and
 * more.
 */

import { baseMs, PrefillCost, rateMs, shapeMs } from "../../../estimates/prefill-cost.ts";
import { explainedEnginesMax } from "../../../limits.ts";
import { lowestK } from "../../../policies/shared/lowest-k.ts";
import type { EngineView, PlacementOption } from "../shared/ordering.ts";
import { PrefixHits } from "./prefix-hits.ts";
import type { QueuedPrompt } from "./queued-prompt.ts";

/**
 * Scores that differ by less than this share of a prompt's shortest prefill are equal: predictions are no better than
 * that.
 */
const tieShare = 0.02;
/** More prompts per engine than this count as this many, so that none waits without end for an engine that hangs. */
const waitingMax = 32;

export interface PlacementOptions {
  /** Weight of work that another engine's cache would save. */
  readonly duplicateWeight: number;
  /** Blocks of prompts that are remembered per engine, until it is known how many it holds. */
  readonly blocksMax: number;
}

/** What it asks of the engines. */
export type PlacementView = Pick<EngineView, "holders" | "reportedCache">;

export class PrefillPlacement {
  /** Predicted waits at available engines, in ms; each prompt that is placed there adds to its engine's. */
  readonly waitMs: Float64Array;
  readonly isAvailable: Uint8Array;
  /** The same for the prompts of one model: reused for each. */
  readonly #isUsable: Uint8Array;
  readonly #view: PlacementView;
  readonly cost: PrefillCost;
  readonly hits: PrefixHits;
  readonly #engines: number;
  readonly #options: PlacementOptions;
  /** Reused for each prompt; infinite = the engine is out of the question. */
  readonly #scores: Float64Array;
  #duplicateWeight = 1;

  constructor(engines: number, options: PlacementOptions, view: PlacementView) {
    this.#engines = engines;
    this.#options = options;
    this.hits = new PrefixHits(engines, options.blocksMax, (engine) => view.reportedCache(engine));
    this.cost = new PrefillCost(engines);
    this.waitMs = new Float64Array(engines);
    this.isAvailable = new Uint8Array(engines);
    this.#isUsable = new Uint8Array(engines);
    this.#view = view;
    this.#scores = new Float64Array(engines);
  }

  adopt(engine: number, other: PrefillPlacement, from: number): void {
    this.hits.adopt(engine, other.hits, from);
    this.cost.adopt(engine, other.cost, from);
  }

  /** Before prompts are placed: how many of them wait for how many available engines. */
  startPass(waiting: number, available: number): void {
    const perEngine = Math.min(waitingMax, waiting / available);
    this.#duplicateWeight = this.#options.duplicateWeight * (1 + perEngine);
  }

  /**
   * Available engines that have the prompt's model. If there are none, all that are available: what is to become of the
   * request is found out by the leg that asks for an engine. Valid until the next call.
   */
  usable({ prompt: { model } }: QueuedPrompt): Uint8Array {
    const holders = model === "" ? undefined : this.#view.holders(model);
    if (holders === undefined) return this.isAvailable;
    let isAny = false;
    for (let engine = 0; engine < this.#engines; engine += 1) {
      const isUsable = holders[engine]! & this.isAvailable[engine]!;
      this.#isUsable[engine] = isUsable;
      isAny ||= isUsable === 1;
    }
    return isAny ? this.#isUsable : this.isAvailable;
  }

  /** Finds its shortest predicted prefill at the available engines, in ms; 0 = there are none. */
  look(queued: QueuedPrompt): void {
    const { tokens } = queued.prompt;
    const isUsable = this.usable(queued);
    const { factors } = this.cost;
    const hits = this.hits.of(queued);
    const rate = rateMs(tokens);
    let leastMs = Number.POSITIVE_INFINITY;
    let leastUncached = tokens;
    for (let engine = 0; engine < this.#engines; engine += 1) {
      if (isUsable[engine] === 0) continue;
      const uncached = Math.max(1, tokens - hits[engine]!);
      const ms = factors[engine]! * (baseMs + uncached * rate);
      if (ms < leastMs) leastMs = ms;
      if (uncached < leastUncached) leastUncached = uncached;
    }
    queued.leastMs = Number.isFinite(leastMs) ? leastMs : 0;
    queued.leastUncached = leastUncached;
  }

  /** The best of the available engines, of which there is at least one. */
  best(queued: QueuedPrompt): number {
    this.#score(queued, this.#duplicateWeight);
    return this.#lowest(queued);
  }

  /** The best of where it waited last and of some others. */
  bestOf(queued: QueuedPrompt, engines: Int32Array, count: number): number {
    const { tokens } = queued.prompt;
    const isUsable = this.usable(queued);
    const { factors } = this.cost;
    const hits = this.hits.of(queued);
    const rate = rateMs(tokens);
    const leastShapeMs = baseMs + queued.leastUncached * rate;
    let best = queued.target;
    let least = Number.POSITIVE_INFINITY;
    for (let i = -1; i < count; i += 1) {
      const engine = i < 0 ? queued.target : engines[i]!;
      if (isUsable[engine] === 0) continue;
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
   * Of engines that nobody waits for, the best for a prompt that could end earlier there than where it waits; -1 =
   * there is none. Work that is done again there costs its own time, and what it pushes out of the cache.
   */
  bestUnwanted(queued: QueuedPrompt, isUnwanted: (engine: number) => boolean): number {
    this.#score(queued, this.#options.duplicateWeight);
    let isAny = false;
    for (let engine = 0; engine < this.#engines; engine += 1) {
      if (this.#scores[engine]! < queued.endsInMs && isUnwanted(engine)) isAny = true;
      else this.#scores[engine] = Number.POSITIVE_INFINITY;
    }
    return isAny ? this.#lowest(queued) : -1;
  }

  /** It is to be prefilled there; in how many ms that ends. */
  add(queued: QueuedPrompt, engine: number): number {
    const ms = this.waitMs[engine]! + this.predict(queued, engine);
    this.waitMs[engine] = ms;
    return ms;
  }

  /** It will not be prefilled where it was sent. @param isAlone nothing else was there that it had waited for */
  gaveUp(queued: QueuedPrompt, nowMs: number, isAlone: boolean): void {
    const { engine, prompt, uncachedTokens, sentMs } = queued;
    if (isAlone) this.cost.observeLeast(engine, uncachedTokens, prompt.tokens, nowMs - sentMs);
    this.hits.dropped(queued, engine);
  }

  /** What speaks for the chosen engine, before it is added there, and for those that come closest. */
  explain(queued: QueuedPrompt, chosen: number): PlacementOption[] {
    this.#score(queued, this.#duplicateWeight);
    const closest = lowestK(this.#engines, explainedEnginesMax, (one) => this.#scores[one]!);
    if (!closest.includes(chosen)) closest[closest.length - 1] = chosen;
    const isUsable = this.usable(queued);
    return closest
      .filter((engine) => isUsable[engine] === 1)
      .map((engine) => ({
        engine,
        waitMs: this.waitMs[engine]!,
        uncachedTokens: this.uncached(queued, engine),
        prefillMs: this.predict(queued, engine),
        score: this.#scores[engine]!,
      }));
  }

  /** Tokens that the engine would have to compute: the last one at least. */
  uncached(queued: QueuedPrompt, engine: number): number {
    return Math.max(1, queued.prompt.tokens - this.hits.of(queued)[engine]!);
  }

  /** In ms. */
  predict(queued: QueuedPrompt, engine: number): number {
    return this.cost.predict(engine, this.uncached(queued, engine), queued.prompt.tokens);
  }

  /** Its shortest predicted prefill, were nothing of it cached anywhere. */
  wholeMs(queued: QueuedPrompt): number {
    const { tokens } = queued.prompt;
    const isUsable = this.usable(queued);
    const { factors } = this.cost;
    let least = Number.POSITIVE_INFINITY;
    for (let engine = 0; engine < this.#engines; engine += 1) {
      if (isUsable[engine] === 1 && factors[engine]! < least) least = factors[engine]!;
    }
    return least * shapeMs(tokens, tokens);
  }

  /** Scores all engines; infinite = the engine is not available, or does not have the model. */
  #score(queued: QueuedPrompt, duplicateWeight: number): void {
    const { tokens } = queued.prompt;
    const { waitMs } = this;
    const isUsable = this.usable(queued);
    const { factors } = this.cost;
    const hits = this.hits.of(queued);
    const scores = this.#scores;
    const rate = rateMs(tokens);
    // At each engine's pace: that it is slow is in its own prefill.
    const leastShapeMs = baseMs + queued.leastUncached * rate;
    for (let engine = 0; engine < this.#engines; engine += 1) {
      const shape = baseMs + Math.max(1, tokens - hits[engine]!) * rate;
      const costs = shape + duplicateWeight * (shape - leastShapeMs);
      scores[engine] =
        isUsable[engine] === 1
          ? waitMs[engine]! + factors[engine]! * costs
          : Number.POSITIVE_INFINITY;
    }
  }

  /** Among equals, the one with the most room in its cache: prompts stay longest there. */
  #lowest(queued: QueuedPrompt): number {
    const scores = this.#scores;
    let least = Number.POSITIVE_INFINITY;
    for (let engine = 0; engine < this.#engines; engine += 1) {
      if (scores[engine]! < least) least = scores[engine]!;
    }
    const enough = least + tieShare * queued.leastMs;
    let best = -1;
    for (let engine = 0; engine < this.#engines; engine += 1) {
      if (scores[engine]! > enough) continue;
      if (best < 0 || this.hits.size(engine) < this.hits.size(best)) best = engine;
    }
    return best;
  }
}
