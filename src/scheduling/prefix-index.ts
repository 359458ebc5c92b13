/**
 * Which engine has which prefix in its cache, for all engines of a pool at once: their mirrors, and which of them have a block, so that
 * the runs of all are found together.
 */
import { BlockHolders } from "./block-holders.ts";
import { LatelySent } from "./lately-sent.ts";
import type { PickRequest, PoolView } from "./policy.ts";
import { JournalReader, type PrefixJournal } from "./prefix-journal.ts";
import { mirrorsOf, type PrefixMirror } from "./prefix-mirror.ts";

type PrefixRequest = Pick<PickRequest, "blocks" | "told" | "clock">;
type PrefixPool = Pick<PoolView, "size" | "slots" | "board">;

export class PrefixIndex {
  readonly #mirrors: readonly PrefixMirror[];
  readonly #holders: BlockHolders;
  readonly #runs: Int32Array;
  readonly #slots: ArrayLike<number>;
  readonly #journal: PrefixJournal;
  readonly #reader: JournalReader;
  readonly #numbers: ReadonlyMap<number, number>;
  /** Of each engine, the life whose prompts are in its mirror. */
  readonly #lives: Int32Array;
  #livesBegun: number;
  readonly #pool: PrefixPool;
  /** Where engines tell what they have; and the time when one was last asked about, in ms since the epoch. */
  #lately: LatelySent | undefined;
  #askedMs = 0;

  constructor(pool: PrefixPool, blocksMax?: number) {
    const { size, slots, board } = pool;
    this.#pool = pool;
    this.#holders = new BlockHolders(size);
    this.#mirrors = mirrorsOf(size, blocksMax, this.#holders);
    this.#runs = new Int32Array(size);
    this.#slots = slots;
    this.#numbers = new Map(Array.from(slots, (slot, number) => [slot, number]));
    this.#journal = board.prefixes;
    this.#livesBegun = this.#journal.livesBegun;
    this.#lives = Int32Array.from(slots, (slot) => this.#journal.lifeOf(slot));
    this.#reader = new JournalReader(this.#journal, this.#heard);
  }

  /** What another worker has sent somewhere, or this one before a reload. */
  readonly #heard = (slot: number, blocks: readonly number[]): void => {
    const engine = this.#numbers.get(slot);
    if (engine !== undefined) this.#insert(engine, blocks);
  };

  version(engine: number): number {
    return this.#mirrors[engine]!.version;
  }

  /** Blocks that the engine is believed to have. */
  size(engine: number): number {
    return this.#mirrors[engine]!.size;
  }

  /** How many of the prompt's blocks, from its start, the engine has: by its own word, or else as is believed. */
  leadingBlocks(engine: number, request: PrefixRequest): number {
    this.#catchUp(request);
    return this.#known(engine, request, this.#mirrors[engine]!.leadingBlocks(request.blocks));
  }

  /** The same for every engine, by its number. Reused by the next call. */
  runs(request: PrefixRequest): Int32Array {
    this.#catchUp(request);
    this.#findRuns(request.blocks);
    if (request.told !== undefined) {
      for (let engine = 0; engine < this.#runs.length; engine += 1) {
        this.#runs[engine] = this.#known(engine, request, this.#runs[engine]!);
      }
    }
    return this.#runs;
  }

  /** What an engine tells counts, and what it cannot tell yet. @param believed by what was ever sent there */
  #known(engine: number, { blocks, told }: PrefixRequest, believed: number): number {
    const toldBlocks = told?.[engine] ?? -1;
    if (toldBlocks < 0) return believed;
    if (toldBlocks >= believed) return toldBlocks;
    return Math.max(toldBlocks, this.#lately!.leadingBlocks(engine, blocks, this.#askedMs));
  }

  /** Hears what others have sent, and which engines were started anew. */
  #catchUp({ told, clock }: PrefixRequest): void {
    if (told !== undefined) {
      this.#lately ??= new LatelySent(this.#pool);
      this.#askedMs = clock.wallMs();
    }
    const { livesBegun } = this.#journal;
    if (livesBegun !== this.#livesBegun) {
      this.#livesBegun = livesBegun;
      this.#lives.forEach((life, engine) => {
        const now = this.#journal.lifeOf(this.#slots[engine]!);
        if (now === life) return;
        this.#lives[engine] = now;
        this.#mirrors[engine]!.clear();
        this.#lately?.clear(engine);
      });
    }
    this.#reader.read(this.#heard);
  }

  #findRuns(blocks: readonly number[]): void {
    const holders = this.#holders;
    this.#runs.fill(0);
    let longest = 0;
    let beyond = blocks.length + 1;
    while (beyond - longest > 1) {
      const middle = (longest + beyond) >>> 1;
      if (holders.find(blocks, middle - 1) >= 0) longest = middle;
      else beyond = middle;
    }
    if (longest === 0) return;
    const last = holders.find(blocks, longest - 1);
    for (let w = 0; w < holders.words; w += 1) this.#mark(w, holders.word(last + w), longest);
    if (longest > 1) this.#split(blocks, 1, holders.find(blocks, 0), longest, last);
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
    this.#insert(engine, blocks);
    this.#journal.append(this.#slots[engine]!, blocks);
  }

  #insert(engine: number, blocks: readonly number[]): void {
    this.#mirrors[engine]!.insert(blocks);
    this.#lately?.insert(engine, blocks, this.#askedMs);
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
