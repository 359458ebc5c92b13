/**
 * Prompts that are held at the proxy until an engine can take them. The next is the one with the shortest predicted prefill, less a
 * share of the time that it has waited; it goes where the wait, its own prefill and the work that another cache would have saved
 * add up to the least, and waits on when that engine is busy: the cache that it waits for is worth more than an idle engine.
 */
import { PrefillCost } from "./prefill-cost.ts";
import { PrefixIndex } from "./prefix-index.ts";

/** What one ms of waiting takes off the predicted ms of a prefill. */
const agingFactor = 0.1;
/** Weight of work that is done although another engine's cache would save it. */
const duplicateWeight = 3;

export interface HeldQueueOptions {
  readonly engines: number;
  readonly blockTokens: number;
}

export interface Prompt {
  readonly tokens: number;
  readonly blocks: readonly number[];
}

export class HeldPrompt {
  readonly prompt: Prompt;
  readonly arrivedMs: number;
  /** Leading blocks believed to be at each engine, and the version of the index that says so. */
  readonly hits: Int32Array;
  readonly versions: Int32Array;
  /** Where it was sent; -1 = held. */
  engine = -1;
  key = 0;
  believedBlocks = 0;
  predictedMs = 0;

  constructor(prompt: Prompt, arrivedMs: number, engines: number) {
    this.prompt = prompt;
    this.arrivedMs = arrivedMs;
    this.hits = new Int32Array(engines);
    this.versions = new Int32Array(engines).fill(-1);
  }
}

export class HeldQueue {
  readonly #engines: number;
  readonly #blockTokens: number;
  readonly #index: PrefixIndex;
  readonly #cost: PrefillCost;
  #held: HeldPrompt[] = [];
  /** Of each engine: what was sent and is not done, first sent first. */
  readonly #sent: HeldPrompt[][];
  /** When the engine began with the first of these. */
  readonly #beganMs: Float64Array;
  /** Reused by each pass. */
  readonly #waitMs: Float64Array;

  constructor({ engines, blockTokens }: HeldQueueOptions) {
    this.#engines = engines;
    this.#blockTokens = blockTokens;
    this.#index = new PrefixIndex(engines);
    this.#cost = new PrefillCost(engines);
    this.#sent = Array.from({ length: engines }, () => []);
    this.#beganMs = new Float64Array(engines);
    this.#waitMs = new Float64Array(engines);
  }

  get heldCount(): number {
    return this.#held.length;
  }

  add(prompt: Prompt, nowMs: number): HeldPrompt {
    const held = new HeldPrompt(prompt, nowMs, this.#engines);
    this.#held.push(held);
    return held;
  }

  /** The client has gone, or a deadline is over. */
  remove(held: HeldPrompt): void {
    const at = this.#held.indexOf(held);
    if (at >= 0) this.#held.splice(at, 1);
  }

  /** The prefill is done. @param cachedTokens as the engine reports them; undefined = it does not */
  done(held: HeldPrompt, cachedTokens: number | undefined, nowMs: number): void {
    const { engine, prompt } = held;
    const sent = this.#sent[engine]!;
    const at = sent.indexOf(held);
    if (at < 0) return;
    sent.splice(at, 1);
    if (cachedTokens !== undefined) {
      this.#index.learn(engine, held.believedBlocks, Math.ceil(cachedTokens / this.#blockTokens));
    }
    const cached = cachedTokens ?? this.#cachedTokens(held.believedBlocks, prompt.tokens);
    if (at === 0) {
      const tookMs = nowMs - this.#beganMs[engine]!;
      this.#cost.observe(engine, prompt.tokens - cached, prompt.tokens, tookMs);
      this.#beganMs[engine] = nowMs;
    }
    this.#index.insert(engine, prompt.blocks);
  }

  /** What is to be sent now; `engine` of each says where. */
  release(nowMs: number): HeldPrompt[] {
    const released: HeldPrompt[] = [];
    let free = this.#refreshWaits(nowMs);
    if (free === 0 || this.#held.length === 0) return released;
    for (const held of this.#held) held.key = this.#keyOf(held);
    this.#held.sort((a, b) => a.key - b.key);
    for (const held of this.#held) {
      const engine = this.#bestFor(held);
      const ms = this.#predict(held, engine);
      if (this.#sent[engine]!.length === 0) {
        this.#send(held, engine, ms, nowMs);
        released.push(held);
        free -= 1;
      }
      // Those behind it reckon with it, also while it waits.
      this.#waitMs[engine] = this.#waitMs[engine]! + ms;
      if (free === 0) break;
    }
    if (released.length > 0) this.#held = this.#held.filter(({ engine }) => engine < 0);
    return released;
  }

  /** Predicted waits at the engines; how many are free. */
  #refreshWaits(nowMs: number): number {
    let free = 0;
    for (let engine = 0; engine < this.#engines; engine += 1) {
      const sent = this.#sent[engine]!;
      if (sent.length === 0) free += 1;
      let ms = 0;
      for (const held of sent) ms += held.predictedMs;
      this.#waitMs[engine] =
        sent.length === 0 ? 0 : Math.max(0, this.#beganMs[engine]! + ms - nowMs);
    }
    return free;
  }

  #send(held: HeldPrompt, engine: number, ms: number, nowMs: number): void {
    held.engine = engine;
    held.predictedMs = ms;
    held.believedBlocks = this.#hit(held, engine);
    if (this.#sent[engine]!.length === 0) this.#beganMs[engine] = nowMs;
    this.#sent[engine]!.push(held);
  }

  #keyOf(held: HeldPrompt): number {
    let least = Number.POSITIVE_INFINITY;
    for (let engine = 0; engine < this.#engines; engine += 1) {
      least = Math.min(least, this.#predict(held, engine));
    }
    // The same at all times: what has waited longer has come earlier.
    return least + agingFactor * held.arrivedMs;
  }

  #bestFor(held: HeldPrompt): number {
    let least = Number.POSITIVE_INFINITY;
    for (let engine = 0; engine < this.#engines; engine += 1) {
      least = Math.min(least, this.#predict(held, engine));
    }
    let best = 0;
    let bestScore = Number.POSITIVE_INFINITY;
    for (let engine = 0; engine < this.#engines; engine += 1) {
      const ms = this.#predict(held, engine);
      const score = this.#waitMs[engine]! + ms + duplicateWeight * (ms - least);
      if (score < bestScore) {
        bestScore = score;
        best = engine;
      }
    }
    return best;
  }

  #predict(held: HeldPrompt, engine: number): number {
    const { tokens } = held.prompt;
    const cached = this.#cachedTokens(this.#hit(held, engine), tokens);
    return this.#cost.predict(engine, tokens - cached, tokens);
  }

  #cachedTokens(blocks: number, tokens: number): number {
    return Math.min(blocks * this.#blockTokens, tokens - 1);
  }

  #hit(held: HeldPrompt, engine: number): number {
    const version = this.#index.version(engine);
    if (held.versions[engine] !== version) {
      held.versions[engine] = version;
      held.hits[engine] = this.#index.leadingBlocks(engine, held.prompt.blocks);
    }
    return held.hits[engine]!;
  }
}
