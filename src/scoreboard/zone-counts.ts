/**
 * What clients use of their routes' limits, over all workers. A zone is a part of the memory: sets of slots, each for
 * a hash of a key. All workers lay out the zones of a configuration in the same way, so a reload that leaves the zones
 * as they are keeps what they have.
 *
 * Of the rate of a key all that is stored is the time at which its bucket is empty, so that one compare-and-exchange
 * charges it: the generic cell rate algorithm (ITU-T I.371, annex A.1). A set that is full gives the slot that has been
 * empty for longest to a new key. Of connections hash and count are one word, and a slot is free at 0.
 */
import { createHash } from "node:crypto";
import { zoneSetWays, zoneSlotsMax } from "../limits.ts";

const countBits = 16n;
const countMask = (1n << countBits) - 1n;
/** As many as nginx can count. */
export const connectionsCountedMax = 65_535;

/** The memory of all workers; hand it to each. */
export function createZoneMemory(workers: number): SharedArrayBuffer {
  return new SharedArrayBuffer(zoneSlotsMax * (16 + 2 * workers));
}

/** A part of the memory. */
export interface Zone {
  readonly name: string;
  readonly firstSlot: number;
  readonly sets: number;
}

/** Lays out zones one after the other. Those that find no room share the last part. */
export function layOutZones(
  zones: readonly { readonly name: string; readonly keysMax: number }[],
): ReadonlyMap<string, Zone> {
  let next = 0;
  const laidOut = zones.map(({ name, keysMax }): [string, Zone] => {
    const wanted = Math.max(1, Math.ceil(keysMax / zoneSetWays));
    const left = Math.floor((zoneSlotsMax - next) / zoneSetWays);
    const sets = Math.max(1, Math.min(wanted, left));
    const firstSlot = Math.min(next, zoneSlotsMax - sets * zoneSetWays);
    next = firstSlot + sets * zoneSetWays;
    return [name, { name, firstSlot, sets }];
  });
  return new Map(laidOut);
}

/** Of a key within a zone: never 0, which is a slot that nobody has. */
export function zoneHash({ name }: Zone, key: string): bigint {
  const text = `${name}\0${key}`;
  const hash = createHash("sha256").update(text, "latin1").digest().readBigUInt64LE(0);
  return hash >> 1n === 0n ? 2n : hash >> 1n;
}

export class ZoneCounts {
  readonly #worker: number;
  readonly #words: BigInt64Array;
  /** When each bucket is empty, in µs since the epoch. */
  readonly #emptyAt: BigInt64Array;
  /** Connections of each worker. */
  readonly #rows: Uint16Array;

  /** @param worker whose row this instance writes, from 0 */
  constructor(memory: SharedArrayBuffer, workers: number, worker: number) {
    this.#worker = worker;
    this.#words = new BigInt64Array(memory, 0, zoneSlotsMax);
    this.#emptyAt = new BigInt64Array(memory, zoneSlotsMax * 8, zoneSlotsMax);
    this.#rows = new Uint16Array(memory, zoneSlotsMax * 16, workers * zoneSlotsMax);
  }

  /**
   * How far a request would be over the rate. A key's first request never is.
   * @param costUs one request's share of the time
   * @returns in µs
   */
  excessUs(zone: Zone, hash: bigint, costUs: number, wallMs: number): number {
    const slot = this.#slotOf(zone, hash);
    if (slot < 0) return 0;
    const nowUs = wallMs * 1_000;
    return afterOne(Atomics.load(this.#emptyAt, slot), costUs, nowUs) - nowUs;
  }

  /**
   * Counts a request, unless it is further over the rate than it may.
   * @param mostUs `Infinity` = however far it is
   * @returns how far it is over the rate, in µs
   */
  take(zone: Zone, hash: bigint, costUs: number, mostUs: number, wallMs: number): number {
    const nowUs = wallMs * 1_000;
    const found = this.#slotOf(zone, hash);
    const slot = found < 0 ? this.#claim(zone, hash) : found;
    if (found < 0) {
      Atomics.store(this.#emptyAt, slot, BigInt(nowUs));
      return 0;
    }
    for (let before = Atomics.load(this.#emptyAt, slot); ; ) {
      const after = afterOne(before, costUs, nowUs);
      if (after - nowUs > mostUs) return after - nowUs;
      const seen = Atomics.compareExchange(this.#emptyAt, slot, before, BigInt(after));
      if (seen === before) return after - nowUs;
      before = seen;
    }
  }

  /** Counts a connection. @returns the slot for `leave`; -1 = there are so many, or no slot is free */
  enter(zone: Zone, hash: bigint, max: number): number {
    const mark = connectionMark(hash);
    const first = firstOf(zone, hash);
    for (let slot = first; slot < first + zoneSetWays; slot += 1) {
      for (;;) {
        const word = Atomics.load(this.#words, slot);
        if ((word & ~countMask) !== mark) break;
        if (Number(word & countMask) >= max) return -1;
        if (Atomics.compareExchange(this.#words, slot, word, word + 1n) !== word) continue;
        this.#addToRow(slot, 1);
        return slot;
      }
    }
    for (let slot = first; slot < first + zoneSetWays; slot += 1) {
      const before = Atomics.compareExchange(this.#words, slot, 0n, mark + 1n);
      // Another worker has brought the same key meanwhile.
      if ((before & ~countMask) === mark) return this.enter(zone, hash, max);
      if (before !== 0n) continue;
      this.#addToRow(slot, 1);
      return slot;
    }
    return -1;
  }

  leave(slot: number): void {
    this.#takeOff(slot, 1n);
    this.#addToRow(slot, -1);
  }

  /** Returns what a dead worker had. The main thread calls it once the worker has ended. */
  closeRow(worker: number): void {
    for (let slot = 0; slot < zoneSlotsMax; slot += 1) {
      const index = worker * zoneSlotsMax + slot;
      const count = this.#rows[index]!;
      if (count === 0) continue;
      this.#takeOff(slot, BigInt(count));
      this.#rows[index] = 0;
    }
  }

  #takeOff(slot: number, count: bigint): void {
    for (;;) {
      const word = Atomics.load(this.#words, slot);
      const left = (word & countMask) - count;
      const after = left <= 0n ? 0n : word - count;
      if (Atomics.compareExchange(this.#words, slot, word, after) === word) return;
    }
  }

  #addToRow(slot: number, count: number): void {
    const index = this.#worker * zoneSlotsMax + slot;
    this.#rows[index] = this.#rows[index]! + count;
  }

  /** -1 = the key has none. */
  #slotOf(zone: Zone, hash: bigint): number {
    const first = firstOf(zone, hash);
    for (let slot = first; slot < first + zoneSetWays; slot += 1) {
      if (Atomics.load(this.#words, slot) === hash) return slot;
    }
    return -1;
  }

  /** Takes a free slot, or the one that has been empty for longest. */
  #claim(zone: Zone, hash: bigint): number {
    const first = firstOf(zone, hash);
    let chosen = first;
    let chosenAt = this.#emptyAt[first]!;
    for (let slot = first + 1; slot < first + zoneSetWays; slot += 1) {
      const emptyAt = this.#emptyAt[slot]!;
      if (emptyAt >= chosenAt) continue;
      chosen = slot;
      chosenAt = emptyAt;
    }
    Atomics.store(this.#words, chosen, hash);
    return chosen;
  }
}

function afterOne(emptyAtUs: bigint, costUs: number, nowUs: number): number {
  return Math.max(nowUs, Math.floor(Number(emptyAtUs) + costUs));
}

function firstOf({ firstSlot, sets }: Zone, hash: bigint): number {
  return firstSlot + Number((hash >> countBits) % BigInt(sets)) * zoneSetWays;
}

/** The hash without the bits of the count; never 0. */
function connectionMark(hash: bigint): bigint {
  const mark = hash & ~countMask;
  return mark === 0n ? 1n << countBits : mark;
}
