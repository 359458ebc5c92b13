/**
 * Which engine has which prefix in its cache, as far as can be known from outside: a mirror of each engine's LRU, fed with the prompts
 * that were sent there. Blocks are named by hashes of the whole prefix up to their end, so one equal block means an equal prefix.
 *
 * A prompt's blocks are used from its end to its start, and the block used longest ago goes first. So an engine that has a block has
 * all blocks before it, and the run of a prompt that it has is found by halving rather than block by block.
 */
import { prefixBlocksMax } from "../limits.ts";
import { BlockHolders } from "./block-holders.ts";
import { BlockLru } from "./block-lru.ts";
import type { PickRequest } from "./policy.ts";

/** Where nothing was learnt yet: more than an engine is likely to hold, since what it reports soon says how much less it is. */
const initialBlocks = 1 << 20;
/** By how much one report that contradicts the mirror moves the size that is believed. */
const learningRate = 0.02;
const leastBlocks = 64;

interface Mirror {
  readonly blocks: BlockLru;
  blocksMax: number;
  /** Counts changes, so that what was looked up can be told to be current. */
  version: number;
}

export class PrefixIndex {
  readonly #mirrors: readonly Mirror[];
  readonly #holders: BlockHolders;
  /** Blocks that one mirror may have, whatever is learnt: bounds the memory of all. */
  readonly #mirrorMax: number;
  readonly #runs: Int32Array;

  constructor(engines: number, blocksMax: number = initialBlocks) {
    this.#mirrorMax = Math.max(leastBlocks, Math.floor(prefixBlocksMax / engines));
    this.#mirrors = Array.from({ length: engines }, () => ({
      blocks: new BlockLru(),
      blocksMax: Math.min(blocksMax, this.#mirrorMax),
      version: 0,
    }));
    this.#holders = new BlockHolders(engines);
    this.#runs = new Int32Array(engines);
  }

  version(engine: number): number {
    return this.#mirrors[engine]!.version;
  }

  /** Blocks that the engine is believed to have. */
  size(engine: number): number {
    return this.#mirrors[engine]!.blocks.size;
  }

  /** How many blocks from the start the engine is believed to have. */
  leadingBlocks(engine: number, blocks: readonly number[]): number {
    const known = this.#mirrors[engine]!.blocks;
    let run = 0;
    let beyond = blocks.length + 1;
    while (beyond - run > 1) {
      const middle = (run + beyond) >>> 1;
      if (known.has(blocks, middle - 1)) run = middle;
      else beyond = middle;
    }
    return run;
  }

  /** The same for every engine, by its number. Reused by the next call. */
  runs(blocks: readonly number[]): Int32Array {
    const holders = this.#holders;
    this.#runs.fill(0);
    let longest = 0;
    let beyond = blocks.length + 1;
    while (beyond - longest > 1) {
      const middle = (longest + beyond) >>> 1;
      if (holders.find(blocks, middle - 1) >= 0) longest = middle;
      else beyond = middle;
    }
    if (longest === 0) return this.#runs;
    const last = holders.find(blocks, longest - 1);
    for (let w = 0; w < holders.words; w += 1) this.#mark(w, holders.word(last + w), longest);
    if (longest > 1) this.#split(blocks, 1, holders.find(blocks, 0), longest, last);
    return this.#runs;
  }

  /** Finds the runs of the engines that have the first `low` blocks, but not `high`. */
  #split(
    blocks: readonly number[],
    low: number,
    lowAt: number,
    high: number,
    highAt: number,
  ): void {
    const holders = this.#holders;
    let differs = false;
    for (let w = 0; w < holders.words; w += 1) {
      const dropped = holders.word(lowAt + w) & ~holders.word(highAt + w);
      if (dropped === 0) continue;
      differs = true;
      if (high - low === 1) this.#mark(w, dropped, low);
    }
    if (!differs || high - low === 1) return;
    const middle = (low + high) >>> 1;
    const middleAt = holders.find(blocks, middle - 1);
    this.#split(blocks, low, lowAt, middle, middleAt);
    this.#split(blocks, middle, middleAt, high, highAt);
  }

  #mark(word: number, bits: number, run: number): void {
    for (let left = bits; left !== 0; left &= left - 1) {
      this.#runs[word * 32 + 31 - Math.clz32(left & -left)] = run;
    }
  }

  /** The engine has computed this prompt. */
  insert(engine: number, blocks: readonly number[]): void {
    const mirror = this.#mirrors[engine]!;
    // From the end: engines free a prompt's last blocks first, so that the beginning, which others share most, stays longest.
    for (let i = blocks.length - 1; i >= 0; i -= 1) {
      if (mirror.blocks.use(blocks, i)) this.#holders.add(blocks, i, engine);
    }
    mirror.version += 1;
    this.#evict(engine, mirror);
  }

  /** What the engine reports of a prompt, against what was believed: how its cache's size is learnt. */
  learn(engine: number, believedBlocks: number, reportedBlocks: number): void {
    const mirror = this.#mirrors[engine]!;
    if (reportedBlocks < believedBlocks) {
      const least = Math.min(mirror.blocksMax, mirror.blocks.size);
      mirror.blocksMax = Math.max(leastBlocks, least * (1 - learningRate));
      this.#evict(engine, mirror);
    } else if (reportedBlocks > believedBlocks) {
      mirror.blocksMax = Math.min(this.#mirrorMax, mirror.blocksMax * (1 + learningRate));
    }
  }

  #evict(engine: number, { blocks, blocksMax }: Mirror): void {
    while (blocks.size > blocksMax) this.#holders.remove(blocks.removeOldest(), engine);
  }
}

/** Bytes of a request's prompt behind a run of its blocks, of one token at least; whole, so that sums stay exact. */
export function uncachedBytes({ bytes, tokens, blocks }: PickRequest, run: number): number {
  if (blocks.length === 0 || run === 0) return bytes;
  const least = tokens < 1 ? 0 : Math.ceil(bytes / tokens);
  return Math.max(least, Math.round(bytes * (1 - run / blocks.length)));
}
