/**
 * Which prompts went where, told by each worker to all: a ring of records per worker, which only that worker writes. A policy that goes
 * by prefixes so knows of the other workers' prompts, and after a reload of those before it.
 *
 * A record is a head (engine's slot, its life, and how many blocks follow) and the prompt's blocks. Who reads too late has lost what was
 * written over, and goes on where it can: no policy needs all.
 */
import { promptBlocksMax } from "../limits.ts";

/** Numbers in one ring, a power of two: prompts of 128 MB, of which 512 KB are remembered per worker. */
const ringNumbers = 1 << 16;
const half = ringNumbers >>> 1;

/** Of each ring: where the next record will begin, where the one that is being written ends, and the first record in each half. Count up to 2^32. */
const headInts = 4;
const written = 0;
const reserved = 1;
const marks = 2;

/** Behind the slots' lives: how many began. */
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
  /** Of each slot, which life of which engine of all that have had it; so that none inherits what one before it has cached. */
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

  /** The slot is another engine's from now on, or its engine was started anew: what was sent there counts no more. */
  clearSlot(slot: number): void {
    this.#lives[slot] = (this.#lives[slot]! + 1) % lives;
    Atomics.add(this.#begun, 0, 1);
  }

  /** Changes with every life that begins at any slot. */
  get livesBegun(): number {
    return Atomics.load(this.#begun, 0);
  }

  lifeOf(slot: number): number {
    return this.#lives[slot]!;
  }

  /** The engine has computed this prompt, or will have. */
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

  /** Whether there is a record at `position` of a ring. One that was taken for the oldest may be still to be written. */
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
   * @returns the engine's slot; -1 = that engine is gone, -2 = the record was written over
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

  /** Nothing from there on was begun to be written over. */
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
