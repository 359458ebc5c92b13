/**
 * Which engine has which prefix in its cache, for all engines of a pool at once: their mirrors, and which of them have a block, so that
 * the runs of all are found together.
 */
import { BlockHolders } from "./block-holders.ts";
import type { PickRequest, PoolView } from "./policy.ts";
import { JournalReader, type PrefixJournal } from "./prefix-journal.ts";
import { mirrorsOf, type PrefixMirror } from "./prefix-mirror.ts";

export class PrefixIndex {
  readonly #mirrors: readonly PrefixMirror[];
  readonly #holders: BlockHolders;
  readonly #runs: Int32Array;
  readonly #slots: ArrayLike<number>;
  readonly #journal: PrefixJournal;
  readonly #reader: JournalReader;
  readonly #numbers: ReadonlyMap<number, number>;

  constructor(
    { size, slots, board }: Pick<PoolView, "size" | "slots" | "board">,
    blocksMax?: number,
  ) {
    this.#holders = new BlockHolders(size);
    this.#mirrors = mirrorsOf(size, blocksMax, this.#holders);
    this.#runs = new Int32Array(size);
    this.#slots = slots;
    this.#numbers = new Map(Array.from(slots, (slot, number) => [slot, number]));
    this.#journal = board.prefixes;
    this.#reader = new JournalReader(this.#journal, this.#heard);
  }

  /** What another worker has sent somewhere, or this one before a reload. */
  readonly #heard = (slot: number, blocks: readonly number[]): void => {
    const engine = this.#numbers.get(slot);
    if (engine !== undefined) this.#mirrors[engine]!.insert(blocks);
  };

  version(engine: number): number {
    return this.#mirrors[engine]!.version;
  }

  /** Blocks that the engine is believed to have. */
  size(engine: number): number {
    return this.#mirrors[engine]!.size;
  }

  /** How many blocks from the start the engine is believed to have. */
  leadingBlocks(engine: number, blocks: readonly number[]): number {
    this.#reader.read(this.#heard);
    return this.#mirrors[engine]!.leadingBlocks(blocks);
  }

  /** The same for every engine, by its number. Reused by the next call. */
  runs(blocks: readonly number[]): Int32Array {
    this.#reader.read(this.#heard);
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
    this.#mirrors[engine]!.insert(blocks);
    this.#journal.append(this.#slots[engine]!, blocks);
  }

  /** What the engine reports of a prompt, against what was believed: how its cache's size is learnt. */
  learn(engine: number, believedBlocks: number, reportedBlocks: number): void {
    this.#mirrors[engine]!.learn(believedBlocks, reportedBlocks);
  }
}

/** Bytes of a request's prompt behind a run of its blocks, of one token at least; whole, so that sums stay exact. */
export function uncachedBytes({ bytes, tokens, blocks }: PickRequest, run: number): number {
  if (blocks.length === 0 || run === 0) return bytes;
  const least = tokens < 1 ? 0 : Math.ceil(bytes / tokens);
  return Math.max(least, Math.round(bytes * (1 - run / blocks.length)));
}
