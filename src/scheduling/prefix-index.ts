/**
 * Which engine has which prefix in its cache, as far as can be known from outside: a mirror of each engine's LRU, fed with the prompts
 * that were sent there. Blocks are named by hashes of the whole prefix up to their end, so one equal block means an equal prefix.
 */

/** Where nothing was learnt yet: more than an engine is likely to hold, since what it reports soon says how much less it is. */
const initialBlocks = 1 << 20;
/** By how much one report that contradicts the mirror moves the size that is believed. */
const learningRate = 0.02;
const leastBlocks = 64;

interface Mirror {
  /** In the order of their last use. */
  readonly blocks: Set<number>;
  blocksMax: number;
  /** Counts changes, so that what was looked up can be told to be current. */
  version: number;
}

export class PrefixIndex {
  readonly #mirrors: readonly Mirror[];

  constructor(engines: number, blocksMax: number = initialBlocks) {
    this.#mirrors = Array.from({ length: engines }, () => ({
      blocks: new Set<number>(),
      blocksMax,
      version: 0,
    }));
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
    while (run < blocks.length && known.has(blocks[run]!)) run += 1;
    return run;
  }

  /** The engine has computed this prompt. */
  insert(engine: number, blocks: readonly number[]): void {
    const mirror = this.#mirrors[engine]!;
    // From the end: engines free a prompt's last blocks first, so that the beginning, which others share most, stays longest.
    for (let i = blocks.length - 1; i >= 0; i -= 1) {
      mirror.blocks.delete(blocks[i]!);
      mirror.blocks.add(blocks[i]!);
    }
    mirror.version += 1;
    this.#evict(mirror);
  }

  /** What the engine reports of a prompt, against what was believed: how its cache's size is learnt. */
  learn(engine: number, believedBlocks: number, reportedBlocks: number): void {
    const mirror = this.#mirrors[engine]!;
    if (reportedBlocks < believedBlocks) {
      const least = Math.min(mirror.blocksMax, mirror.blocks.size);
      mirror.blocksMax = Math.max(leastBlocks, least * (1 - learningRate));
      this.#evict(mirror);
    } else if (reportedBlocks > believedBlocks) mirror.blocksMax *= 1 + learningRate;
  }

  #evict({ blocks, blocksMax }: Mirror): void {
    for (const block of blocks) {
      if (blocks.size <= blocksMax) return;
      blocks.delete(block);
    }
  }
}
