/**
 * What all engines of a pool are believed to have: a model for each, and which of them have a block, so that the runs
 * of all are found together.
 */
import { BlockHolders } from "./block-holders.ts";
import { type ModelledPrefixCache, modelledCachesOf } from "./modelled-prefix-cache.ts";

export class PrefixRuns {
  readonly modelled: readonly ModelledPrefixCache[];
  readonly #holders: BlockHolders;
  readonly #runs: Int32Array;

  constructor(engines: number, blocksMax?: number) {
    this.#holders = new BlockHolders(engines);
    this.modelled = modelledCachesOf(engines, blocksMax, this.#holders);
    this.#runs = new Int32Array(engines);
  }

  /**
   * How many blocks of the prompt each engine has, from its start, by the engines' numbers. Reused by the next call.
   */
  of(blocks: readonly number[]): Int32Array {
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
}
