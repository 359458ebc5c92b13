/**
 * What one engine has in its cache, as far as can be known from outside: a model of its LRU, fed with the prompts that
 * were sent there. Blocks are named by hashes of the whole prefix up to their end, so one equal block means an equal
 * prefix.
 *
 * A prompt's blocks are used from its end to its start, and the block used longest ago goes first. So an engine that
 * has a block has all blocks before it, and the run of a prompt that it has is found by halving rather than block by
 * block.
 */
import { prefixBlocksMax } from "../limits.ts";
import { BlockLru } from "./block-lru.ts";

/** Before anything is learned: more than an engine is likely to hold. What it reports soon says how much less it is. */
const initialBlocks = 1 << 20;
/** By how much one report that contradicts the model moves the size that is believed. */
const learningRate = 0.02;
const leastBlocks = 64;

/** Hears which blocks an engine has got, and which it has lost. */
export interface BlockObserver {
  add(blocks: readonly number[], at: number, engine: number): void;
  remove(block: number, engine: number): void;
}

/** A model for each engine. Together they have at most {@link prefixBlocksMax} blocks. */
export function modelledCachesOf(
  engines: number,
  blocksMax: number = initialBlocks,
  observer?: BlockObserver,
): ModelledPrefixCache[] {
  const most = Math.max(leastBlocks, Math.floor(prefixBlocksMax / engines));
  return Array.from({ length: engines }, (_, engine) => {
    return new ModelledPrefixCache(engine, Math.min(blocksMax, most), most, observer);
  });
}

export class ModelledPrefixCache {
  readonly #engine: number;
  readonly #blocks = new BlockLru();
  readonly #observer: BlockObserver | undefined;
  /** Bounds the memory, whatever is learned. */
  readonly #most: number;
  #blocksMax: number;

  constructor(engine: number, blocksMax: number, most: number, observer?: BlockObserver) {
    this.#engine = engine;
    this.#blocksMax = blocksMax;
    this.#most = most;
    this.#observer = observer;
  }

  /** Blocks that the engine is believed to have. */
  get size(): number {
    return this.#blocks.size;
  }

  /** How many blocks from the start the engine is believed to have. */
  leadingBlocks(blocks: readonly number[]): number {
    let run = 0;
    let beyond = blocks.length + 1;
    while (beyond - run > 1) {
      const middle = (run + beyond) >>> 1;
      if (this.#blocks.has(blocks, middle - 1)) run = middle;
      else beyond = middle;
    }
    return run;
  }

  /** The engine has computed this prompt. */
  insert(blocks: readonly number[]): void {
    // From the end: engines free a prompt's last blocks first, so that the beginning, which others share most, stays
    // longest.
    for (let i = blocks.length - 1; i >= 0; i -= 1) {
      if (this.#blocks.use(blocks, i)) this.#observer?.add(blocks, i, this.#engine);
    }
    this.#evict();
  }

  /**
   * The engine has not computed this prompt after all. A longer one that was sent behind it computes these blocks
   * itself, and inserts them again.
   * @param from so many of its blocks were there before it
   */
  takeBack(blocks: readonly number[], from: number): void {
    for (let i = from; i < blocks.length; i += 1) {
      if (this.#blocks.remove(blocks, i)) this.#observer?.remove(blocks[i]!, this.#engine);
    }
  }

  /** What the engine reports of a prompt, against what was believed: how its cache's size is learned. */
  applyDiscovered(believedBlocks: number, reportedBlocks: number): void {
    if (reportedBlocks < believedBlocks) {
      const least = Math.min(this.#blocksMax, this.#blocks.size);
      this.#blocksMax = Math.max(leastBlocks, least * (1 - learningRate));
      this.#evict();
    } else if (reportedBlocks > believedBlocks) {
      this.#blocksMax = Math.min(this.#most, this.#blocksMax * (1 + learningRate));
    }
  }

  /** Takes over what another model has of the same engine; this one has nothing yet. */
  copy(other: ModelledPrefixCache): void {
    this.#blocksMax = Math.min(this.#most, other.#blocksMax);
    const one: number[] = [];
    other.#blocks.forEach((block) => {
      one[0] = block;
      if (this.#blocks.use(one, 0)) this.#observer?.add(one, 0, this.#engine);
    });
    this.#evict();
  }

  /** The engine has none of them any more. */
  clear(): void {
    this.#removeTo(0);
  }

  #evict(): void {
    this.#removeTo(this.#blocksMax);
  }

  #removeTo(blocks: number): void {
    while (this.#blocks.size > blocks) {
      const block = this.#blocks.removeOldest();
      this.#observer?.remove(block, this.#engine);
    }
  }
}
