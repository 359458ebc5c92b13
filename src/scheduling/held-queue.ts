/**
 * Prompts that are held at the proxy until an engine can take them. The next is the one with the shortest predicted prefill, less a
 * share of the time that it has waited; it goes where the wait, its own prefill and the work that another cache would have saved
 * add up to the least, and waits on when that engine is busy: the cache that it waits for is worth more than an idle engine.
 *
 * Nothing starves: with a predicted prefill of P ms, a prompt is overtaken by none that came more than
 * `(P + priority + fairness) / aging` ms after it, whatever else arrives.
 */
import type { ExactCache } from "./exact-cache.ts";
import { PrefillBatches, type SentPrompt } from "./prefill-batches.ts";
import { PrefillCost } from "./prefill-cost.ts";
import { mirrorsOf, type PrefixMirror } from "./prefix-mirror.ts";
import { TenantShares } from "./tenant-shares.ts";
import type { TokenKeys } from "./token-keys.ts";

/** Scores that differ by less than this share of a prompt's shortest prefill are equal: more is not known of engines. */
const tieShare = 0.02;
/** Prompts that are looked at for a batch once no engine is idle. */
const joinsMax = 32;
/**
 * Of the many that may wait, so many of the first are looked at in one pass, and so many of the others are put in order anew, in turn:
 * what becomes cached moves a prompt forward. With 1,000 prompts and 64 engines a pass takes a fifth of the time of one over all.
 */
const placedMax = 128;
const refreshedMax = 32;

export interface HeldQueueOptions {
  /** What one ms of waiting takes off the predicted ms of a prefill. */
  readonly agingFactor: number;
  /** Weight of work that is done although another engine's cache would save it. */
  readonly duplicateWeight: number;
  /** Blocks of prompts that are remembered per engine, until it is learnt how many it holds. */
  readonly blocksMax: number;
  /** Most that a tenant which has had more than its share is put back, in predicted ms. */
  readonly fairnessMs: number;
}

/** The engines as they are now, by their number. */
export interface EngineStates<P extends Prompt> {
  /** Takes requests at all. */
  isFit(engine: number): boolean;
  /** Whether there is room for one more. @param open sent from here and not done */
  hasRoom(engine: number, open: number): boolean;
  /** Requests at the engine that did not come through this queue. */
  others(engine: number, open: number): number;
  /** What the engine has in its cache, by its own word; undefined = it is not known so well. */
  exact(engine: number): ExactCache | undefined;
  /** Whether what follows the prefill has room for it, too; where so, it has taken that. */
  admit(held: HeldPrompt<P>): boolean;
}

export interface Prompt {
  readonly tokens: number;
  readonly blocks: readonly number[];
  readonly blockTokens: number;
  /** Of its tokens themselves; undefined = they are not known. */
  readonly keys: TokenKeys | undefined;
  /** Taken off its predicted ms, or added to them. */
  readonly advanceMs: number;
  readonly tenant: string;
  /** Whether `seen` is to be filled. */
  readonly explains: boolean;
}

/** What spoke for an engine when a prompt was placed. */
export interface SeenEngine {
  readonly number: number;
  readonly waitMs: number;
  readonly uncachedTokens: number;
  readonly prefillMs: number;
  readonly score: number;
}

export class HeldPrompt<P extends Prompt = Prompt> implements SentPrompt {
  readonly prompt: P;
  readonly arrivedMs: number;
  /** Leading tokens believed to be at each engine, and the version of what says so. */
  readonly hits: number[];
  readonly versions: number[];
  /** Where it was sent; -1 = held. */
  engine = -1;
  /** What it goes by in the queue, and its shortest predicted prefill, as they were when it was last looked at. */
  key = 0;
  leastMs = 0;
  predictedMs = 0;
  uncachedTokens = 0;
  /** By the mirror of what was sent to its engine; -1 = the engine itself had told, which says nothing of the mirror. */
  believedBlocks = -1;
  seen: readonly SeenEngine[] = [];

  constructor(prompt: P, arrivedMs: number, engines: number) {
    this.prompt = prompt;
    this.arrivedMs = arrivedMs;
    this.hits = new Array<number>(engines).fill(0);
    this.versions = new Array<number>(engines).fill(-1);
  }
}

export class HeldQueue<P extends Prompt = Prompt> {
  readonly #engines: number;
  readonly #options: HeldQueueOptions;
  readonly #states: EngineStates<P>;
  /** What each engine has in its cache. */
  readonly #mirrors: PrefixMirror[];
  readonly #cost: PrefillCost;
  readonly #batches: PrefillBatches;
  readonly #tenants = new TenantShares();
  /** In the order of their keys. */
  #held: HeldPrompt<P>[] = [];
  /** Of those behind the first ones, the next to be put in order anew. */
  #refreshAt = placedMax;
  /** Reused by each pass. */
  readonly #waitMs: Float64Array;
  readonly #scores: Float64Array;
  readonly #isFit: Uint8Array;

  constructor(engines: number, options: HeldQueueOptions, states: EngineStates<P>) {
    this.#engines = engines;
    this.#options = options;
    this.#states = states;
    this.#mirrors = mirrorsOf(engines, options.blocksMax);
    this.#cost = new PrefillCost(engines);
    this.#batches = new PrefillBatches(engines);
    this.#waitMs = new Float64Array(engines);
    this.#scores = new Float64Array(engines);
    this.#isFit = new Uint8Array(engines);
  }

  get heldCount(): number {
    return this.#held.length;
  }

  /** As they are now, the first ones first. */
  held(): HeldPrompt<P>[] {
    return [...this.#held];
  }

  /**
   * Goes on with what another queue has learnt of its engines. @param others for each engine of this queue, the number that it had in the
   * other one; -1 = it is new
   */
  adopt(other: HeldQueue<P>, others: readonly number[]): void {
    others.forEach((from, engine) => {
      if (from < 0) return;
      // One mirror for both: what the other queue has sent and is not done is still to be learnt of.
      this.#mirrors[engine] = other.#mirrors[from]!;
      this.#cost.adopt(engine, other.#cost, from);
      this.#batches.adopt(engine, other.#batches, from);
    });
  }

  /** Nothing of what was sent to the engine is there any more. */
  forget(engine: number): void {
    this.#mirrors[engine]!.clear();
  }

  /** Whether there is anything of what was sent to the engine that is believed to be there. */
  isMirrored(engine: number): boolean {
    return this.#mirrors[engine]!.size > 0;
  }

  /** Those that have an engine and are not done. */
  get openCount(): number {
    let count = 0;
    for (let engine = 0; engine < this.#engines; engine += 1) count += this.#batches.open(engine);
    return count;
  }

  add(prompt: P, nowMs: number): HeldPrompt<P> {
    const held = new HeldPrompt<P>(prompt, nowMs, this.#engines);
    this.#tenants.add(prompt.tenant);
    this.#rank(held, this.#tenants.compare());
    this.#held.push(held);
    moveForward(this.#held, this.#held.length - 1);
    return held;
  }

  /** The client has gone, a deadline is over, or its engine has failed. */
  remove(held: HeldPrompt<P>): void {
    if (held.engine >= 0) {
      this.#batches.drop(held.engine, held);
      return;
    }
    const at = this.#held.indexOf(held);
    if (at < 0) return;
    this.#held.splice(at, 1);
    this.#tenants.remove(held.prompt.tenant, 0);
  }

  /** The prefill is done. @param cachedTokens as the engine reports them; undefined = it does not */
  done(held: HeldPrompt<P>, cachedTokens: number | undefined, nowMs: number): void {
    const { engine, prompt } = held;
    const { tokens, blocks, blockTokens } = prompt;
    if (engine < 0) return;
    const ended = this.#batches.done(engine, held, nowMs);
    if (cachedTokens !== undefined && held.believedBlocks >= 0) {
      this.#mirrors[engine]!.learn(held.believedBlocks, Math.ceil(cachedTokens / blockTokens));
    }
    // Of several prompts at once nobody knows which took how long.
    if (ended?.size === 1) {
      const cached = cachedTokens ?? tokens - held.uncachedTokens;
      this.#cost.observe(engine, Math.max(1, tokens - cached), tokens, ended.tookMs);
    }
    this.#mirrors[engine]!.insert(blocks);
  }

  /** Until a prompt of this size would be sent, were it to arrive now, in ms. */
  expectedWaitMs(nowMs: number): number {
    const fit = this.#refresh(nowMs);
    if (fit === 0) return Number.POSITIVE_INFINITY;
    let ms = 0;
    for (let engine = 0; engine < this.#engines; engine += 1) {
      if (this.#isFit[engine] === 1) ms += this.#waitMs[engine]!;
    }
    for (const held of this.#held) ms += held.leastMs;
    return ms / fit;
  }

  /** What is to be sent now; `engine` of each says where. */
  release(nowMs: number): HeldPrompt<P>[] {
    const released: HeldPrompt<P>[] = [];
    if (this.#held.length === 0) return released;
    this.#refresh(nowMs);
    let idle = 0;
    for (let engine = 0; engine < this.#engines; engine += 1) {
      if (this.#isFit[engine] === 1 && this.#batches.open(engine) === 0) idle += 1;
    }
    if (idle === 0) return released;
    // Batches of this pass that may have room for more.
    let joinable = 0;
    let joins = joinsMax;
    const isShared = this.#tenants.compare();
    this.#order(isShared);
    const placed = Math.min(placedMax, this.#held.length);
    for (let i = 0; i < placed; i += 1) {
      const held = this.#held[i]!;
      const engine = this.#bestFor(held);
      const uncached = this.#uncached(held, engine);
      const ms = this.#cost.predict(engine, uncached, held.prompt.tokens);
      const open = this.#batches.open(engine);
      const couldJoin = open > 0 && this.#batches.isJoinable(engine);
      const takes = this.#batches.takes(engine, uncached);
      if (couldJoin && !takes) joinable -= 1;
      if (takes && this.#states.hasRoom(engine, open) && this.#states.admit(held)) {
        if (open === 0) {
          idle -= 1;
          joinable += 1;
        }
        if (held.prompt.explains) held.seen = this.#explain(held);
        this.#send(held, engine, ms, uncached, nowMs);
        released.push(held);
      }
      // Those behind it reckon with it, also while it waits.
      this.#waitMs[engine] = this.#waitMs[engine]! + ms;
      // What goes now has a batch to join, or an engine to itself.
      if (idle === 0) joins -= 1;
      if (joins === 0 || (idle === 0 && joinable === 0)) break;
    }
    this.#batches.closeAll();
    if (released.length > 0) this.#held = this.#held.filter(({ engine }) => engine < 0);
    return released;
  }

  /** Predicted waits at the engines that are fit; how many are. */
  #refresh(nowMs: number): number {
    let fit = 0;
    for (let engine = 0; engine < this.#engines; engine += 1) {
      const isFit = this.#states.isFit(engine);
      this.#isFit[engine] = isFit ? 1 : 0;
      if (!isFit) continue;
      fit += 1;
      const others = this.#states.others(engine, this.#batches.open(engine));
      const othersMs = others * this.#cost.typicalMs(engine);
      this.#waitMs[engine] = this.#batches.waitMs(engine, nowMs) + othersMs;
    }
    return fit;
  }

  #send(held: HeldPrompt, engine: number, ms: number, uncached: number, nowMs: number): void {
    held.engine = engine;
    held.predictedMs = ms;
    held.uncachedTokens = uncached;
    const isMirrored = this.#exact(held, engine) === undefined;
    const hit = this.#hit(held, engine);
    held.believedBlocks = isMirrored ? Math.round(hit / held.prompt.blockTokens) : -1;
    this.#batches.send(engine, held, nowMs);
    this.#tenants.remove(held.prompt.tenant, ms);
  }

  #order(isShared: boolean): void {
    const held = this.#held;
    for (let i = 0; i < held.length && i < placedMax; i += 1) this.#rank(held[i]!, isShared);
    for (let i = 0; i < refreshedMax && held.length > placedMax; i += 1) {
      if (this.#refreshAt >= held.length) this.#refreshAt = placedMax;
      this.#rank(held[this.#refreshAt]!, isShared);
      this.#refreshAt += 1;
    }
    // In order but for the few whose key has changed, so that this is nearly one pass: half of what a sort takes with 30 prompts.
    for (let i = 1; i < held.length; i += 1) moveForward(held, i);
  }

  #rank(held: HeldPrompt, isShared: boolean): void {
    const { agingFactor, fairnessMs } = this.#options;
    const { tenant, advanceMs } = held.prompt;
    const lead = isShared ? Math.min(fairnessMs, this.#tenants.leadMs(tenant)) : 0;
    held.leastMs = this.#leastMs(held);
    // What has waited longer has come earlier: but for caches and tenants, the key is the same at all times.
    held.key = held.leastMs + agingFactor * held.arrivedMs + lead - advanceMs;
  }

  #leastMs(held: HeldPrompt): number {
    let least = Number.POSITIVE_INFINITY;
    for (let engine = 0; engine < this.#engines; engine += 1) {
      if (this.#isFit[engine] === 1) least = Math.min(least, this.#predict(held, engine));
    }
    return Number.isFinite(least) ? least : 0;
  }

  #bestFor(held: HeldPrompt): number {
    const { duplicateWeight } = this.#options;
    const least = held.leastMs;
    let bestScore = Number.POSITIVE_INFINITY;
    for (let engine = 0; engine < this.#engines; engine += 1) {
      if (this.#isFit[engine] === 0) continue;
      const ms = this.#predict(held, engine);
      const score = this.#waitMs[engine]! + ms + duplicateWeight * (ms - least);
      this.#scores[engine] = score;
      bestScore = Math.min(bestScore, score);
    }
    // Of those that are as good, the one with the most room in its cache: what is kept there is kept longest.
    const enough = bestScore + tieShare * least;
    let best = -1;
    for (let engine = 0; engine < this.#engines; engine += 1) {
      if (this.#isFit[engine] === 0 || this.#scores[engine]! > enough) continue;
      if (best < 0 || this.#mirrors[engine]!.size < this.#mirrors[best]!.size) best = engine;
    }
    return best;
  }

  /** What `bestFor` has just gone by. */
  #explain(held: HeldPrompt): SeenEngine[] {
    const seen: SeenEngine[] = [];
    for (let engine = 0; engine < this.#engines; engine += 1) {
      if (this.#isFit[engine] === 0) continue;
      seen.push({
        number: engine,
        waitMs: this.#waitMs[engine]!,
        uncachedTokens: this.#uncached(held, engine),
        prefillMs: this.#predict(held, engine),
        score: this.#scores[engine]!,
      });
    }
    return seen;
  }

  #predict(held: HeldPrompt, engine: number): number {
    return this.#cost.predict(engine, this.#uncached(held, engine), held.prompt.tokens);
  }

  #uncached(held: HeldPrompt, engine: number): number {
    // An engine computes at least the last token anew.
    return Math.max(1, held.prompt.tokens - this.#hit(held, engine));
  }

  #hit(held: HeldPrompt, engine: number): number {
    const { blocks, blockTokens, keys } = held.prompt;
    const exact = this.#exact(held, engine);
    const mirror = this.#mirrors[engine]!;
    // Below 0, so that none of them is a mirror's; -1 = nothing was looked up yet.
    const version = exact === undefined ? mirror.version : -2 - exact.version;
    if (held.versions[engine] !== version) {
      held.versions[engine] = version;
      held.hits[engine] =
        exact === undefined
          ? mirror.leadingBlocks(blocks) * blockTokens
          : exact.leadingTokens(keys!);
    }
    return held.hits[engine]!;
  }

  #exact({ prompt }: HeldPrompt, engine: number): ExactCache | undefined {
    return prompt.keys === undefined ? undefined : this.#states.exact(engine);
  }
}

/** Puts the prompt where it belongs among those before it, which are in order. */
function moveForward<H extends HeldPrompt>(held: H[], from: number): void {
  const moved = held[from]!;
  let at = from;
  for (; at > 0 && held[at - 1]!.key > moved.key; at -= 1) held[at] = held[at - 1]!;
  held[at] = moved;
}
