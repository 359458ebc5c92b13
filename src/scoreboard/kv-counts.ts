/**
 * How many KV caches each prefill engine may hold for this proxy's requests, and how earlier ones were freed. Each
 * worker writes its own rows. A worker that dies leaves what it had open behind.
 */

/** How an obligation to free a KV cache has ended. */
export const kvEnds = [
  /** Decode has fetched it. */
  "taken",
  /** Decode's request was cancelled, which frees it. */
  "released_by_cancel",
  /** A request was sent only to free it. */
  "released_by_request",
  /** The prefill was cancelled before it was done. */
  "released_by_prefill",
  /** The prefill was rejected, or named no KV cache. */
  "empty",
  /** Nothing can free it, or nothing did: the engine holds it until its own time is over. */
  "leaked",
] as const;

export type KvEnd = (typeof kvEnds)[number];

/** Fields of a row: open, when the oldest was opened, transfers that were missing, and then one for each end. */
const open = 0;
const oldestMs = 1;
const missing = 2;
const firstEnd = 3;
const fields = firstEnd + kvEnds.length;

export function kvCountsLength(workers: number, slots: number): number {
  return workers * slots * fields * 8;
}

export class KvCounts {
  readonly #rows: Float64Array;
  readonly #slots: number;
  readonly #worker: number;

  /** @param worker whose rows this instance writes */
  constructor(
    memory: SharedArrayBuffer,
    at: number,
    { workers, slots }: { readonly workers: number; readonly slots: number },
    worker: number,
  ) {
    this.#rows = new Float64Array(memory, at, workers * slots * fields);
    this.#slots = slots;
    this.#worker = worker;
  }

  opened(slot: number): void {
    this.#add(slot, open, 1);
  }

  ended(slot: number, end: KvEnd): void {
    this.#add(slot, open, -1);
    this.#add(slot, firstEnd + kvEnds.indexOf(end), 1);
  }

  /** @param ms since the epoch; 0 = this worker has none open */
  setOldest(slot: number, ms: number): void {
    this.#rows[this.#at(this.#worker, slot) + oldestMs] = ms;
  }

  /** A prefill engine has named no KV cache where its dialect has it do so. */
  countMissing(slot: number): void {
    this.#add(slot, missing, 1);
  }

  /** Obligations that are open, of all workers. */
  openOf(slot: number): number {
    return this.#sum(slot, open);
  }

  endedOf(slot: number, end: KvEnd): number {
    return this.#sum(slot, firstEnd + kvEnds.indexOf(end));
  }

  missingOf(slot: number): number {
    return this.#sum(slot, missing);
  }

  /** When the oldest that is open was opened, in ms since the epoch; undefined = none is. */
  oldestOf(slot: number): number | undefined {
    let oldest: number | undefined;
    for (let at = slot * fields + oldestMs; at < this.#rows.length; at += this.#slots * fields) {
      const ms = this.#rows[at]!;
      if (ms > 0 && ms < (oldest ?? Number.POSITIVE_INFINITY)) oldest = ms;
    }
    return oldest;
  }

  /** The worker is dead: nobody frees what it had open. */
  closeRow(worker: number): void {
    for (let slot = 0; slot < this.#slots; slot += 1) {
      const at = this.#at(worker, slot);
      const leaked = at + firstEnd + kvEnds.indexOf("leaked");
      this.#rows[leaked] = this.#rows[leaked]! + this.#rows[at + open]!;
      this.#rows[at + open] = 0;
      this.#rows[at + oldestMs] = 0;
    }
  }

  /** Clears a slot before another engine gets it. */
  clearSlot(slot: number): void {
    for (let at = slot * fields; at < this.#rows.length; at += this.#slots * fields) {
      this.#rows.fill(0, at, at + fields);
    }
  }

  #at(worker: number, slot: number): number {
    return (worker * this.#slots + slot) * fields;
  }

  #add(slot: number, field: number, count: number): void {
    const at = this.#at(this.#worker, slot) + field;
    this.#rows[at] = this.#rows[at]! + count;
  }

  #sum(slot: number, field: number): number {
    let sum = 0;
    for (let at = slot * fields + field; at < this.#rows.length; at += this.#slots * fields) {
      sum += this.#rows[at]!;
    }
    return sum;
  }
}
