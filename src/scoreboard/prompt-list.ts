/**
 * The prompts in flight, one by one, for policies that need more than their sum. All workers share it: each has a row
 * that only it writes, in the order of arrival. A reader may see an entry twice or miss it while its worker removes
 * another.
 *
 * `remove` removes any entry of the same group and size, because such entries are interchangeable. So a prompt that
 * found its row full needs no mark, and no entry is left when all requests have ended.
 */
import { listedPromptsMax } from "../limits.ts";

/** Integers of a row: its count, then the group of each entry. */
const rowInts = 1 + listedPromptsMax;
/** Floats of a row: the bytes of each entry, then the arrival time of each. */
const rowFloats = 2 * listedPromptsMax;

/** Bytes of memory that the list takes. */
export function promptListLength(workers: number): number {
  return workers * rowFloats * 8 + ((workers * rowInts * 4 + 7) & ~7);
}

export class PromptList {
  readonly #workers: number;
  readonly #worker: number;
  readonly #floats: Float64Array;
  readonly #ints: Int32Array;
  /** The next entry of each row while `oldest` merges the rows. */
  readonly #next: Int32Array;

  /**
   * @param at where it starts in the memory, a multiple of 8
   * @param worker whose row this instance writes
   */
  constructor(memory: SharedArrayBuffer, at: number, workers: number, worker: number) {
    this.#workers = workers;
    this.#worker = worker;
    this.#floats = new Float64Array(memory, at, workers * rowFloats);
    this.#ints = new Int32Array(memory, at + workers * rowFloats * 8, workers * rowInts);
    this.#next = new Int32Array(workers);
  }

  /** @param nowMs since the epoch */
  add(group: number, bytes: number, nowMs: number): void {
    const row = this.#worker * rowInts;
    const count = this.#ints[row]!;
    if (count >= listedPromptsMax) return;
    const at = this.#worker * rowFloats + count;
    this.#floats[at] = bytes;
    this.#floats[at + listedPromptsMax] = nowMs;
    this.#ints[row + 1 + count] = group;
    Atomics.store(this.#ints, row, count + 1);
  }

  remove(group: number, bytes: number): void {
    const row = this.#worker * rowInts;
    const floats = this.#worker * rowFloats;
    const count = this.#ints[row]!;
    for (let i = 0; i < count; i += 1) {
      if (this.#floats[floats + i] !== bytes || this.#ints[row + 1 + i] !== group) continue;
      const times = floats + listedPromptsMax;
      this.#floats.copyWithin(floats + i, floats + i + 1, floats + count);
      this.#floats.copyWithin(times + i, times + i + 1, times + count);
      this.#ints.copyWithin(row + 1 + i, row + 2 + i, row + 1 + count);
      Atomics.store(this.#ints, row, count - 1);
      return;
    }
  }

  /** Removes the entries of a dead worker. */
  closeRow(worker: number): void {
    Atomics.store(this.#ints, worker * rowInts, 0);
  }

  /**
   * Sums the bytes of the group's prompts.
   * @param into receives the sum of those that have at most `bytesMax` each, and the sum of all
   */
  sums(group: number, bytesMax: number, into: Float64Array): void {
    const ints = this.#ints;
    const floats = this.#floats;
    let upTo = 0;
    let all = 0;
    for (let worker = 0; worker < this.#workers; worker += 1) {
      const row = worker * rowInts;
      const from = worker * rowFloats;
      const count = Atomics.load(ints, row);
      for (let i = 0; i < count; i += 1) {
        if (ints[row + 1 + i] !== group) continue;
        const bytes = floats[from + i]!;
        all += bytes;
        if (bytes <= bytesMax) upTo += bytes;
      }
    }
    into[0] = upTo;
    into[1] = all;
  }

  /**
   * Copies the bytes of the group's oldest prompts.
   * @returns how many, at most `most`
   */
  oldest(group: number, into: Float64Array, most: number): number {
    this.#next.fill(0);
    let count = 0;
    while (count < most) {
      let first = -1;
      let firstMs = Number.POSITIVE_INFINITY;
      for (let worker = 0; worker < this.#workers; worker += 1) {
        const at = this.#skipTo(group, worker);
        if (at < 0) continue;
        const ms = this.#floats[worker * rowFloats + listedPromptsMax + at]!;
        if (ms >= firstMs) continue;
        firstMs = ms;
        first = worker;
      }
      if (first < 0) break;
      into[count] = this.#floats[first * rowFloats + this.#next[first]!]!;
      this.#next[first] = this.#next[first]! + 1;
      count += 1;
    }
    return count;
  }

  /** The row's next entry of the group in the merge; -1 = none. */
  #skipTo(group: number, worker: number): number {
    const row = worker * rowInts;
    const count = Atomics.load(this.#ints, row);
    let at = this.#next[worker]!;
    while (at < count && this.#ints[row + 1 + at] !== group) at += 1;
    this.#next[worker] = at;
    return at < count ? at : -1;
  }
}
