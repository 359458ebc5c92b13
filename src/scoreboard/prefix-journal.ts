/**
 * A journal of which prompts were sent where, from each worker to all: one ring of records per worker, which only that
 * worker writes. From it, policies that use prefixes know the prompts of the other workers, and after a reload those
 * before it.
 *
 * A record is a head (the engine's slot, the life of that slot, and how many blocks follow) and the prompt's blocks. A
 * reader that is too late loses the records that were overwritten, and continues where it can: no policy needs all of
 * them.
 */
import { promptBlocksMax } from "../limits.ts";

/** Numbers in one ring, a power of two: 512 KB of memory per worker, for prompts of 128 MB. */
const ringNumbers = 1 << 16;
const half = ringNumbers >>> 1;

/**
 * Positions of each ring, which count up to 2^32: where the next record will start, where the one that is being written
 * ends, and the first record in each half.
 */
const headInts = 4;
const written = 0;
const reserved = 1;
const marks = 2;

/** Behind the slots' lives: how many have started. */
const begunInts = 1;

/** A head is `(slot * lives + life) * countEnd + count`, below 2^53. */
const lives = 1 << 16;
const countEnd = promptBlocksMax + 1;

export function prefixJournalLength(workers: number, slots: number): number {
  return workers * ringNumbers * 8 + (workers * headInts + slots + begunInts) * 4;
}

export class PrefixJournal {
  readonly workers: number;
  readonly worker: number;
  readonly #numbers: Float64Array;
  readonly #heads: Int32Array;
  /**
   * The current life of each slot: it changes with the engine, so that none inherits what an earlier one had cached.
   */
  readonly #lives: Int32Array;
  readonly #begun: Int32Array;

  constructor(
    memory: SharedArrayBuffer,
    offset: number,
    size: { workers: number; slots: number },
    worker: number,
  ) {
    const { workers, slots } = size;
    this.workers = workers;
    this.worker = worker;
    this.#numbers = new Float64Array(memory, offset, workers * ringNumbers);
    const heads = offset + workers * ringNumbers * 8;
    this.#heads = new Int32Array(memory, heads, workers * headInts);
    const livesAt = heads + workers * headInts * 4;
    this.#lives = new Int32Array(memory, livesAt, slots);
    this.#begun = new Int32Array(memory, livesAt + slots * 4, begunInts);
  }

  /** The slot has another engine, or its engine has restarted: what was sent there no longer counts. */
  clearSlot(slot: number): void {
    this.#lives[slot] = (this.#lives[slot]! + 1) % lives;
    Atomics.add(this.#begun, 0, 1);
  }

  /** Changes with every life that starts at any slot. */
  get livesBegun(): number {
    return Atomics.load(this.#begun, 0);
  }

  lifeOf(slot: number): number {
    return this.#lives[slot]!;
  }

  /** Records that the engine has computed this prompt, or will compute it. */
  append(slot: number, blocks: readonly number[]): void {
    if (blocks.length === 0) return;
    const count = Math.min(blocks.length, promptBlocksMax);
    const at = this.worker * headInts;
    const from = this.#heads[at + written]!;
    const to = (from + 1 + count) | 0;
    Atomics.store(this.#heads, at + reserved, to);
    const ring = this.worker * ringNumbers;
    this.#numbers[ring + (from & (ringNumbers - 1))] =
      (slot * lives + this.#lives[slot]!) * countEnd + count;
    for (let i = 0; i < count; i += 1) {
      this.#numbers[ring + ((from + 1 + i) & (ringNumbers - 1))] = blocks[i]!;
    }
    if ((from & half) !== (to & half)) this.#heads[at + marks + ((to & half) === 0 ? 0 : 1)] = to;
    Atomics.store(this.#heads, at + written, to);
  }

  /** Whether there is a record at `position` of a ring. A position from `oldest` may not be written yet. */
  has(worker: number, position: number): boolean {
    return ((Atomics.load(this.#heads, worker * headInts + written) - position) | 0) > 0;
  }

  /** The oldest record of a ring that is known to be whole. */
  oldest(worker: number): number {
    const at = worker * headInts;
    const inSecond = (Atomics.load(this.#heads, at + written) & half) === 0 ? 0 : 1;
    const [first, second] = [
      this.#heads[at + marks + 1 - inSecond]!,
      this.#heads[at + marks + inSecond]!,
    ];
    return this.#isKept(worker, first) ? first : second;
  }

  /**
   * Reads the record at `position` of a ring. The next one is behind it and its blocks.
   * @param into is filled with its blocks
   * @returns the engine's slot; -1 = the slot has another engine by now, -2 = the record was overwritten
   */
  read(worker: number, position: number, into: number[]): number {
    const ring = worker * ringNumbers;
    const head = this.#numbers[ring + (position & (ringNumbers - 1))]!;
    const count = head % countEnd;
    into.length = 0;
    for (let i = 1; i <= count; i += 1) {
      into.push(this.#numbers[ring + ((position + i) & (ringNumbers - 1))]!);
    }
    if (!this.#isKept(worker, position)) return -2;
    const place = (head - count) / countEnd;
    const slot = Math.floor(place / lives);
    return this.#lives[slot] === place % lives ? slot : -1;
  }

  /** Whether no record from that position on has been overwritten, not even in part. */
  #isKept(worker: number, position: number): boolean {
    const end = Atomics.load(this.#heads, worker * headInts + reserved);
    return (end - position) >>> 0 <= ringNumbers;
  }
}

/** Reads on in all rings: in those of other workers, and once in this worker's own, for what was written before. */
export class JournalReader {
  readonly #journal: PrefixJournal;
  readonly #positions: Int32Array;
  readonly #blocks: number[] = [];

  constructor(journal: PrefixJournal, visit: (slot: number, blocks: readonly number[]) => void) {
    this.#journal = journal;
    this.#positions = Int32Array.from({ length: journal.workers }, (_, i) => journal.oldest(i));
    for (let worker = 0; worker < journal.workers; worker += 1) this.#readRing(worker, visit);
  }

  read(visit: (slot: number, blocks: readonly number[]) => void): void {
    const { worker: own, workers } = this.#journal;
    for (let worker = 0; worker < workers; worker += 1) {
      if (worker !== own) this.#readRing(worker, visit);
    }
  }

  #readRing(worker: number, visit: (slot: number, blocks: readonly number[]) => void): void {
    const journal = this.#journal;
    let position = this.#positions[worker]!;
    while (journal.has(worker, position)) {
      const slot = journal.read(worker, position, this.#blocks);
      if (slot === -2) position = journal.oldest(worker);
      else position = (position + 1 + this.#blocks.length) | 0;
      if (slot >= 0) visit(slot, this.#blocks);
    }
    this.#positions[worker] = position;
  }
}
