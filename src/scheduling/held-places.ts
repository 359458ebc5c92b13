/**
 * Where a held prompt goes: to the engine with the least of wait, own prefill, and work that another engine's cache would save. Such work costs
 * more than its own time: all that wait are the later for it. So each ms of it counts once, and once more for each prompt that
 * waits per engine.
 */
import { explainedEnginesMax } from "../limits.ts";
import { closest } from "./closest.ts";
import type { ExactCache } from "./exact-cache.ts";
import type { HeldPrompt, SeenEngine } from "./held-prompt.ts";
import { PrefillCost } from "./prefill-cost.ts";
import { mirrorsOf, type PrefixMirror } from "./prefix-mirror.ts";

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

/** What an engine itself says of its cache; undefined = it is not known so well. */
export type ExactOf = (engine: number) => ExactCache | undefined;

export class HeldPlaces {
  /** Predicted waits of engines that are fit, in ms; those who place prompts there add to them. */
  readonly waitMs: Float64Array;
  readonly isFit: Uint8Array;
  readonly cost: PrefillCost;
  readonly #engines: number;
  readonly #options: PlacesOptions;
  readonly #exactOf: ExactOf;
  /** What each engine has in its cache. */
  readonly #mirrors: PrefixMirror[];
  /** Prompts that each engine computes now: what comes next will find them there, though they are not told of yet. */
  readonly #computing: HeldPrompt[][];
  /** Reused by each placing; infinite = not in question. */
  readonly #scores: Float64Array;
  #duplicateWeight = 1;

  constructor(engines: number, options: PlacesOptions, exactOf: ExactOf) {
    this.#engines = engines;
    this.#options = options;
    this.#exactOf = exactOf;
    this.#mirrors = mirrorsOf(engines, options.blocksMax);
    this.#computing = Array.from({ length: engines }, () => []);
    this.cost = new PrefillCost(engines);
    this.waitMs = new Float64Array(engines);
    this.isFit = new Uint8Array(engines);
    this.#scores = new Float64Array(engines);
  }

  adopt(engine: number, other: HeldPlaces, from: number): void {
    // One mirror for both: what the other queue has sent and is not done is still to be learnt of.
    this.#mirrors[engine] = other.#mirrors[from]!;
    this.cost.adopt(engine, other.cost, from);
  }

  /** What was sent to the engine, as far as it is believed to be there. */
  mirror(engine: number): PrefixMirror {
    return this.#mirrors[engine]!;
  }

  /** The engine computes it from now on. */
  sent(held: HeldPrompt, engine: number): void {
    this.#computing[engine]!.push(held);
    this.#mirrors[engine]!.insert(held.prompt.blocks);
  }

  /** The engine computes it no more. */
  ended(held: HeldPrompt, engine: number): void {
    const computing = this.#computing[engine]!;
    const at = computing.indexOf(held);
    if (at >= 0) computing.splice(at, 1);
    this.#mirrors[engine]!.version += 1;
  }

  /** Before prompts are placed: how many of them wait for how many engines. */
  begin(waiting: number, fit: number): void {
    const perEngine = Math.min(waitingMax, waiting / fit);
    this.#duplicateWeight = this.#options.duplicateWeight * (1 + perEngine);
  }

  /** Its shortest predicted prefill at engines that are fit, in ms; 0 = there are none. */
  look(held: HeldPrompt): void {
    let leastMs = Number.POSITIVE_INFINITY;
    let leastUncached = held.prompt.tokens;
    for (let engine = 0; engine < this.#engines; engine += 1) {
      if (this.isFit[engine] === 0) continue;
      const uncached = this.uncached(held, engine);
      leastMs = Math.min(leastMs, this.cost.predict(engine, uncached, held.prompt.tokens));
      leastUncached = Math.min(leastUncached, uncached);
    }
    held.leastMs = Number.isFinite(leastMs) ? leastMs : 0;
    held.leastUncached = leastUncached;
  }

  /** The best of the engines that are fit, of which there is one. */
  best(held: HeldPrompt): number {
    for (let engine = 0; engine < this.#engines; engine += 1) {
      const isFit = this.isFit[engine] === 1;
      this.#scores[engine] = isFit
        ? this.#score(held, engine, this.#duplicateWeight)
        : Number.POSITIVE_INFINITY;
    }
    return this.#least(held);
  }

  /**
   * Of engines that nobody waits for, the best for a prompt that could end earlier there than where it waits; -1 = there is none. Work that is done
   * again there costs its own time, and what it pushes out of the cache.
   */
  bestUnwanted(held: HeldPrompt, isUnwanted: (engine: number) => boolean): number {
    let isAny = false;
    for (let engine = 0; engine < this.#engines; engine += 1) {
      this.#scores[engine] = Number.POSITIVE_INFINITY;
      if (this.isFit[engine] === 0 || !isUnwanted(engine)) continue;
      const score = this.#score(held, engine, this.#options.duplicateWeight);
      if (score >= held.endsInMs) continue;
      this.#scores[engine] = score;
      isAny = true;
    }
    return isAny ? this.#least(held) : -1;
  }

  /** It is to be prefilled there; until then and it, so many ms. */
  add(held: HeldPrompt, engine: number): number {
    const ms = this.waitMs[engine]! + this.predict(held, engine);
    this.waitMs[engine] = ms;
    return ms;
  }

  /** What speaks for the chosen engine, before it is added there, and for those that come closest. */
  explain(held: HeldPrompt, chosen: number): SeenEngine[] {
    const scoreOf = (number: number) =>
      this.isFit[number] === 1
        ? this.#score(held, number, this.#duplicateWeight)
        : Number.POSITIVE_INFINITY;
    const numbers = closest(this.#engines, explainedEnginesMax, scoreOf);
    if (!numbers.includes(chosen)) numbers[numbers.length - 1] = chosen;
    return numbers
      .filter((number) => this.isFit[number] === 1)
      .map((number) => ({
        number,
        waitMs: this.waitMs[number]!,
        uncachedTokens: this.uncached(held, number),
        prefillMs: this.predict(held, number),
        score: scoreOf(number),
      }));
  }

  /** In ms. */
  predict(held: HeldPrompt, engine: number): number {
    return this.cost.predict(engine, this.uncached(held, engine), held.prompt.tokens);
  }

  /** Its shortest predicted prefill, were nothing of it cached anywhere. */
  wholeMs({ prompt: { tokens } }: HeldPrompt): number {
    let least = Number.POSITIVE_INFINITY;
    for (let engine = 0; engine < this.#engines; engine += 1) {
      if (this.isFit[engine] === 0) continue;
      least = Math.min(least, this.cost.predict(engine, tokens, tokens));
    }
    return least;
  }

  uncached(held: HeldPrompt, engine: number): number {
    // An engine computes at least the last token anew.
    return Math.max(1, held.prompt.tokens - this.#hit(held, engine));
  }

  /** What the mirror of the engine says of it; -1 = the engine's own word counted. */
  believedBlocks(held: HeldPrompt, engine: number): number {
    if (this.#exact(held, engine) !== undefined) return -1;
    return Math.round(this.#hit(held, engine) / held.prompt.blockTokens);
  }

  #score(held: HeldPrompt, engine: number, duplicateWeight: number): number {
    const { tokens } = held.prompt;
    const ms = this.predict(held, engine);
    // At this engine's pace: that it is slow is in its own prefill.
    const duplicateMs = ms - this.cost.predict(engine, held.leastUncached, tokens);
    return this.waitMs[engine]! + ms + duplicateWeight * duplicateMs;
  }

  /** Of those that are as good, the one with the most room in its cache: what is kept there is kept longest. */
  #least(held: HeldPrompt): number {
    let least = Number.POSITIVE_INFINITY;
    for (const score of this.#scores) least = Math.min(least, score);
    const enough = least + tieShare * held.leastMs;
    let best = -1;
    for (let engine = 0; engine < this.#engines; engine += 1) {
      if (this.#scores[engine]! > enough) continue;
      if (best < 0 || this.#mirrors[engine]!.size < this.#mirrors[best]!.size) best = engine;
    }
    return best;
  }

  #hit(held: HeldPrompt, engine: number): number {
    const { blocks, blockTokens, keys } = held.prompt;
    const exact = this.#exact(held, engine);
    const mirror = this.#mirrors[engine]!;
    // Below 0, so that none of them is a mirror's; -1 = nothing was looked up yet. Both count up.
    const version = exact === undefined ? mirror.version : -2 - exact.version - mirror.version;
    if (held.versions[engine] !== version) {
      held.versions[engine] = version;
      held.hits[engine] =
        exact === undefined
          ? mirror.leadingBlocks(blocks) * blockTokens
          : Math.max(exact.leadingTokens(keys!), this.#computed(blocks, engine) * blockTokens);
    }
    return held.hits[engine]!;
  }

  /** Leading blocks of a prompt that the engine computes now. */
  #computed(blocks: readonly number[], engine: number): number {
    let most = 0;
    for (const { prompt } of this.#computing[engine]!) {
      most = Math.max(most, sharedBlocks(blocks, prompt.blocks));
    }
    return most;
  }

  #exact({ prompt }: HeldPrompt, engine: number): ExactCache | undefined {
    return prompt.keys === undefined ? undefined : this.#exactOf(engine);
  }
}

/** How many blocks two prompts begin alike with. Blocks are chained: an equal one means that all before it are. */
function sharedBlocks(one: readonly number[], other: readonly number[]): number {
  let run = 0;
  let beyond = Math.min(one.length, other.length) + 1;
  while (beyond - run > 1) {
    const middle = (run + beyond) >>> 1;
    if (one[middle - 1] === other[middle - 1]) run = middle;
    else beyond = middle;
  }
  return run;
}
