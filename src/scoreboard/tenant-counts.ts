/**
 * What tenants use, over all workers: a bucket of requests and one of tokens for each, and requests in flight.
 *
 * A bucket holds what a tenant may use in one minute, and refills evenly. All that is stored of it is the time at which
 * it is full again, so that one compare-and-exchange charges it: the generic cell rate algorithm (ITU-T I.371, annex
 * A.1). A limit that a reload changes keeps the share of the bucket that was used.
 *
 * A tenant's slot belongs to a hash of its name, in a set of `slotWays`. One whose buckets are full and that has
 * nothing in flight is as good as a new one, and goes to another tenant that needs it; if there is none, the one that
 * has used least of what it may does. If that happens between a worker's look at the slot and its charge, this one
 * charge is the other tenant's.
 */
import { createHash } from "node:crypto";
import { tenantDebtMsMax, tenantSlotSets, tenantSlotWays } from "../limits.ts";

/** Which of a tenant's two buckets. */
export const requestBucket = 0;
export const tokenBucket = 1;
export type Bucket = typeof requestBucket | typeof tokenBucket;

const buckets = 2;
const slots = tenantSlotSets * tenantSlotWays;
const minuteUs = 60_000_000;
const debtUsMax = tenantDebtMsMax * 1_000;
const lockBytes = 8;

function offsetsOf(workers: number) {
  const hashes = lockBytes;
  const fullAt = hashes + slots * 8;
  const generations = fullAt + slots * buckets * 8;
  const inFlight = generations + slots * 4;
  const rows = inFlight + slots * 4;
  return { hashes, fullAt, generations, inFlight, rows, byteLength: rows + workers * slots * 4 };
}

/** The memory of all workers; hand it to each. */
export function createTenantMemory(workers: number): SharedArrayBuffer {
  return new SharedArrayBuffer(offsetsOf(workers).byteLength);
}

/** A tenant's place in the memory, as one worker knows it. */
export interface TenantSlot {
  readonly hash: bigint;
  slot: number;
  /** Of the slot, when it was found: another one = it has gone to another tenant. -1 = it was never looked for. */
  generation: number;
}

export function tenantSlot(name: string): TenantSlot {
  const hash = createHash("sha256").update(name).digest().readBigInt64LE(0);
  // 0 is a slot that nobody has.
  return { hash: hash === 0n ? 1n : hash, slot: 0, generation: -1 };
}

export class TenantCounts {
  readonly #worker: number;
  /** Who gives slots to tenants now, as the worker's number from 1; 0 = nobody. */
  readonly #lock: Int32Array;
  readonly #hashes: BigInt64Array;
  /** When each bucket is full, in µs since the epoch. */
  readonly #fullAt: BigInt64Array;
  readonly #generations: Int32Array;
  readonly #inFlight: Int32Array;
  /** Requests in flight of each worker. */
  readonly #rows: Int32Array;

  /** @param worker whose row this instance writes, from 0 */
  constructor(memory: SharedArrayBuffer, workers: number, worker: number) {
    const at = offsetsOf(workers);
    this.#worker = worker;
    this.#lock = new Int32Array(memory, 0, 1);
    this.#hashes = new BigInt64Array(memory, at.hashes, slots);
    this.#fullAt = new BigInt64Array(memory, at.fullAt, slots * buckets);
    this.#generations = new Int32Array(memory, at.generations, slots);
    this.#inFlight = new Int32Array(memory, at.inFlight, slots);
    this.#rows = new Int32Array(memory, at.rows, workers * slots);
  }

  /**
   * Takes so much out of a bucket, unless it has less. More than a whole bucket is taken once it is full: it has less
   * than nothing then.
   * @param wallMs since the epoch, as everywhere here: clocks of threads begin at different times
   * @returns how long to wait for it, in ms; 0 = it is taken
   */
  take(at: TenantSlot, bucket: Bucket, count: number, perMinute: number, wallMs: number): number {
    const index = this.#find(at, wallMs) * buckets + bucket;
    const nowUs = usOf(wallMs);
    const costUs = costOf(count, perMinute);
    const needUs = costOf(Math.min(count, perMinute), perMinute);
    for (let before = Atomics.load(this.#fullAt, index); ; ) {
      const usedUs = usedOf(before, nowUs);
      if (usedUs + needUs > minuteUs)
        return Math.max(1, Math.ceil((usedUs + needUs - minuteUs) / 1_000));
      const found = this.#exchange(index, before, nowUs, usedUs + costUs);
      if (found === before) return 0;
      before = found;
    }
  }

  /** Takes so much out of a bucket, whatever it has, or puts it back. @param count below 0 = it is put back */
  charge(at: TenantSlot, bucket: Bucket, count: number, perMinute: number, wallMs: number): void {
    const index = this.#find(at, wallMs) * buckets + bucket;
    const nowUs = usOf(wallMs);
    const costUs = Math.sign(count) * costOf(Math.abs(count), perMinute);
    for (let before = Atomics.load(this.#fullAt, index); ; ) {
      const found = this.#exchange(index, before, nowUs, usedOf(before, nowUs) + costUs);
      if (found === before) return;
      before = found;
    }
  }

  /** What the bucket has, of `perMinute`; never below 0. */
  left(at: TenantSlot, bucket: Bucket, perMinute: number, wallMs: number): number {
    const usedUs = this.#usedUs(this.#find(at, wallMs), bucket, wallMs);
    return Math.max(0, Math.floor((1 - usedUs / minuteUs) * perMinute));
  }

  /** How long until the bucket is full, in ms. */
  fullInMs(at: TenantSlot, bucket: Bucket, wallMs: number): number {
    return Math.ceil(this.#usedUs(this.#find(at, wallMs), bucket, wallMs) / 1_000);
  }

  /** A request begins, unless so many are in flight. @returns the slot for `leave`; -1 = there are too many */
  enter(at: TenantSlot, max: number, wallMs: number): number {
    const slot = this.#find(at, wallMs);
    for (let before = Atomics.load(this.#inFlight, slot); before < max; ) {
      const found = Atomics.compareExchange(this.#inFlight, slot, before, before + 1);
      if (found === before) {
        this.#addToRow(slot, 1);
        return slot;
      }
      before = found;
    }
    return -1;
  }

  leave(slot: number): void {
    Atomics.sub(this.#inFlight, slot, 1);
    this.#addToRow(slot, -1);
  }

  /** Requests in flight of all tenants. */
  get inFlight(): number {
    return this.#inFlight.reduce((sum, count) => sum + count, 0);
  }

  /** Returns what a dead worker had. The main thread calls it once the worker has ended. */
  closeRow(worker: number): void {
    for (let slot = 0; slot < slots; slot += 1) {
      const index = worker * slots + slot;
      const taken = this.#rows[index]!;
      if (taken === 0) continue;
      Atomics.sub(this.#inFlight, slot, taken);
      this.#rows[index] = 0;
    }
    Atomics.compareExchange(this.#lock, 0, worker + 1, 0);
  }

  #addToRow(slot: number, count: number): void {
    const index = this.#worker * slots + slot;
    this.#rows[index] = this.#rows[index]! + count;
  }

  #usedUs(slot: number, bucket: Bucket, wallMs: number): number {
    return usedOf(Atomics.load(this.#fullAt, slot * buckets + bucket), usOf(wallMs));
  }

  #exchange(index: number, before: bigint, nowUs: number, usedUs: number): bigint {
    const after = nowUs + Math.min(debtUsMax, Math.max(0, usedUs));
    return Atomics.compareExchange(this.#fullAt, index, before, BigInt(after));
  }

  #find(at: TenantSlot, wallMs: number): number {
    const { slot, generation } = at;
    if (generation >= 0 && Atomics.load(this.#generations, slot) === generation) return slot;
    while (Atomics.compareExchange(this.#lock, 0, 0, this.#worker + 1) !== 0);
    at.slot = this.#claim(at.hash, wallMs);
    at.generation = Atomics.load(this.#generations, at.slot);
    Atomics.store(this.#lock, 0, 0);
    return at.slot;
  }

  /** Only who has the lock calls it. */
  #claim(hash: bigint, wallMs: number): number {
    const first = Number(BigInt.asUintN(32, hash) % BigInt(tenantSlotSets)) * tenantSlotWays;
    let chosen = -1;
    let chosenUs = Number.POSITIVE_INFINITY;
    for (let slot = first; slot < first + tenantSlotWays; slot += 1) {
      if (this.#hashes[slot] === hash) return slot;
      const usedUs = Math.max(
        this.#usedUs(slot, requestBucket, wallMs),
        this.#usedUs(slot, tokenBucket, wallMs),
      );
      if (usedUs >= chosenUs || Atomics.load(this.#inFlight, slot) > 0) continue;
      chosen = slot;
      chosenUs = usedUs;
    }
    // All are busy: two tenants share one slot, as if they were one.
    if (chosen < 0) return first;
    this.#hashes[chosen] = hash;
    this.#fullAt.fill(0n, chosen * buckets, (chosen + 1) * buckets);
    Atomics.add(this.#generations, chosen, 1);
    return chosen;
  }
}

function usOf(wallMs: number): number {
  return Math.floor(wallMs * 1_000);
}

/** Rounded down, so that a bucket of N is not empty before N. */
function costOf(count: number, perMinute: number): number {
  return Math.floor((count * minuteUs) / perMinute);
}

/** A clock that was set back must not lock a tenant out for as long. */
function usedOf(fullAtUs: bigint, nowUs: number): number {
  return Math.min(debtUsMax, Math.max(0, Number(fullAtUs) - nowUs));
}
