/**
 * How many KV caches each prefill engine may hold for this proxy's requests, and how earlier ones were freed. Each
 * worker writes its own rows. A worker that dies leaves what it had open behind.
 */

import { type RowsShape, SlotRows, slotRowsLength } from "./slot-rows.ts";

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

export function kvCountsLength(shape: RowsShape): number {
  return slotRowsLength(shape, fields);
}

export class KvCounts {
  readonly #rows: SlotRows;

  /** @param worker whose rows this instance writes */
  constructor(memory: SharedArrayBuffer, at: number, shape: RowsShape, worker: number) {
    this.#rows = new SlotRows(memory, at, shape, { worker, fields });
  }

  opened(slot: number): void {
    this.#rows.add(slot, open, 1);
  }

  ended(slot: number, end: KvEnd): void {
    this.#rows.add(slot, open, -1);
    this.#rows.add(slot, firstEnd + kvEnds.indexOf(end), 1);
  }

  /** @param ms since the epoch; 0 = this worker has none open */
  setOldest(slot: number, ms: number): void {
    this.#rows.set(slot, oldestMs, ms);
  }

  /** A prefill engine has named no KV cache where its dialect has it do so. */
  countMissing(slot: number): void {
    this.#rows.add(slot, missing, 1);
  }

  /** Obligations that are open, of all workers. */
  openOf(slot: number): number {
    return this.#rows.sum(slot, open);
  }

  endedOf(slot: number, end: KvEnd): number {
    return this.#rows.sum(slot, firstEnd + kvEnds.indexOf(end));
  }

  missingOf(slot: number): number {
    return this.#rows.sum(slot, missing);
  }

  /** When the oldest that is open was opened, in ms since the epoch; undefined = none is. */
  oldestOf(slot: number): number | undefined {
    return this.#rows.leastAboveZero(slot, oldestMs);
  }

  /** The worker is dead: nobody frees what it had open. */
  closeRow(worker: number): void {
    const { numbers, slots } = this.#rows;
    for (let slot = 0; slot < slots; slot += 1) {
      const at = this.#rows.at(worker, slot);
      const leaked = at + firstEnd + kvEnds.indexOf("leaked");
      numbers[leaked] = numbers[leaked]! + numbers[at + open]!;
      numbers[at + open] = 0;
      numbers[at + oldestMs] = 0;
    }
  }

  /** Clears a slot before another engine gets it. */
  clearSlot(slot: number): void {
    this.#rows.clearSlot(slot);
  }
}
