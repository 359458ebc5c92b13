/**
 * Load of every engine, shared by all workers through one SharedArrayBuffer.
 *
 * A slot belongs to an engine's identity (pool and address), never to its position in a list. Each worker has a row that only
 * it writes, so a dead worker's share can be taken back and no update is lost; counts that gate (`inFlight`) are also kept as
 * a total by Atomics. Byte sums are float64: exact to 2^53 bytes, and an aligned float64 is not torn on a 64-bit machine.
 */
import { PrefixJournal, prefixJournalLength } from "./prefix-journal.ts";
import { PromptList, promptListLength } from "./prompt-list.ts";

const intFields = 4;
/** Requests at the engine now. Total and per worker. */
const inFlight = 0;
/** Failures counted for `maxFails`. Total only. */
const fails = 1;
/** The engine's own word, beside the count that it is added to: policies read both of every engine. Total only. */
const externalRequests = 2;
const tellsKvUse = 3;

const floatFields = 6;
/** Bytes of prompts at the engine now. Per worker. */
const promptBytes = 0;
/** Requests and bytes ever assigned, for policies that look at history. Per worker, monotone. */
const assignedRequests = 1;
const assignedBytes = 2;
/** Of the prompts at the engine now, what its cache does not have. Per worker. */
const uncachedBytes = 3;
/** Tokens of the prompts at the engine now, and of their answers so far. Per worker, whole numbers, so that sums stay exact. */
const promptTokens = 4;
const responseTokens = 5;

/** Fields of a slot that have one value for all: times in ms since the epoch, scratch values for the pool's policy, and the engine's own word. */
const sharedFields = 12;
const failCheckedAt = 0;
const failAccessedAt = 1;
const historyRequests = 2;
const historyBytes = 3;
const baseRequests = 4;
const baseBytes = 5;
const availableAt = 6;
const kvUse = 7;
const kvUseAtTokens = 8;
/** Averages over the last requests, the latest most: a share of each new one. */
const firstByteMs = 9;
const serviceMs = 10;
const averageShare = 0.1;
const startedAt = 11;

export interface ScoreboardSize {
  readonly workers: number;
  readonly slots: number;
}

const headerInts = 2;

function layout({ workers, slots }: ScoreboardSize) {
  const totals = headerInts * 4;
  const pools = totals + slots * intFields * 4;
  const rows = pools + slots * 2 * 4;
  const floats = (rows + workers * slots * 4 + 7) & ~7;
  const shared = floats + workers * slots * floatFields * 8;
  const prompts = shared + slots * sharedFields * 8;
  const prefixes = prompts + promptListLength(workers);
  const byteLength = prefixes + prefixJournalLength(workers, slots);
  return { totals, pools, rows, floats, shared, prompts, prefixes, byteLength };
}

/** The memory of a new scoreboard; hand it to each worker. */
export function createScoreboardMemory(size: ScoreboardSize): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(layout(size).byteLength);
  new Int32Array(memory, 0, headerInts).set([size.workers, size.slots]);
  return memory;
}

export class Scoreboard {
  readonly workers: number;
  readonly slots: number;
  readonly worker: number;
  /** For policies that list the prompts which they placed. */
  readonly prompts: PromptList;
  /** For policies that go by prefixes. */
  readonly prefixes: PrefixJournal;
  readonly #totals: Int32Array;
  readonly #pools: Int32Array;
  readonly #rows: Int32Array;
  readonly #floats: Float64Array;
  readonly #shared: Float64Array;

  /** @param worker whose row this instance writes, from 0. */
  constructor(memory: SharedArrayBuffer, worker: number) {
    const [workers = 0, slots = 0] = new Int32Array(memory, 0, headerInts);
    const at = layout({ workers, slots });
    this.workers = workers;
    this.slots = slots;
    this.worker = worker;
    this.#totals = new Int32Array(memory, at.totals, slots * intFields);
    this.#pools = new Int32Array(memory, at.pools, slots * 2);
    this.#rows = new Int32Array(memory, at.rows, workers * slots);
    this.#floats = new Float64Array(memory, at.floats, workers * slots * floatFields);
    this.#shared = new Float64Array(memory, at.shared, slots * sharedFields);
    this.prompts = new PromptList(memory, at.prompts, workers, worker);
    this.prefixes = new PrefixJournal(memory, at.prefixes, { workers, slots }, worker);
  }

  /**
   * Takes a place for one request. With `max` > 0 it fails when the engine has as many already: the check and the taking are
   * one atomic step, so the bound holds over all workers.
   * @param uncached bytes of the prompt that the engine has to compute, as far as is known
   * @param tokens of the prompt, a whole number
   */
  take(slot: number, bytes: number, max: number, uncached = bytes, tokens = 0): boolean {
    if (max > 0) {
      if (!this.#takeBelow(slot * intFields + inFlight, max)) return false;
    } else Atomics.add(this.#totals, slot * intFields + inFlight, 1);
    const row = this.worker * this.slots + slot;
    this.#rows[row] = this.#rows[row]! + 1;
    const at = row * floatFields;
    this.#floats[at + promptBytes] = this.#floats[at + promptBytes]! + bytes;
    this.#floats[at + assignedRequests] = this.#floats[at + assignedRequests]! + 1;
    this.#floats[at + assignedBytes] = this.#floats[at + assignedBytes]! + bytes;
    this.#floats[at + uncachedBytes] = this.#floats[at + uncachedBytes]! + uncached;
    this.#floats[at + promptTokens] = this.#floats[at + promptTokens]! + tokens;
    return true;
  }

  /** Adds one unless the total is at its bound. Adding first and taking back would refuse others a place that is free. */
  #takeBelow(total: number, max: number): boolean {
    let before = Atomics.load(this.#totals, total);
    while (before < max) {
      const seen = Atomics.compareExchange(this.#totals, total, before, before + 1);
      if (seen === before) return true;
      before = seen;
    }
    return false;
  }

  /** So many more tokens of an answer have come, a whole number. Only leases call it. */
  answered(slot: number, tokens: number): void {
    const at = (this.worker * this.slots + slot) * floatFields + responseTokens;
    this.#floats[at] = this.#floats[at]! + tokens;
  }

  /** Gives back what `take` took, and the tokens of the answer. Only leases call it, once each. */
  giveBack(slot: number, bytes: number, uncached = bytes, tokens = 0, response = 0): void {
    Atomics.sub(this.#totals, slot * intFields + inFlight, 1);
    const row = this.worker * this.slots + slot;
    this.#rows[row] = this.#rows[row]! - 1;
    const at = row * floatFields;
    this.#floats[at + promptBytes] = this.#floats[at + promptBytes]! - bytes;
    this.#floats[at + uncachedBytes] = this.#floats[at + uncachedBytes]! - uncached;
    this.#floats[at + promptTokens] = this.#floats[at + promptTokens]! - tokens;
    this.#floats[at + responseTokens] = this.#floats[at + responseTokens]! - response;
  }

  /** Takes back all that a dead worker held. Called by the main thread once the worker is gone. */
  closeRow(worker: number): void {
    for (let slot = 0; slot < this.slots; slot += 1) {
      const row = worker * this.slots + slot;
      const held = this.#rows[row]!;
      if (held !== 0) Atomics.sub(this.#totals, slot * intFields + inFlight, held);
      this.#rows[row] = 0;
      this.#floats[row * floatFields + promptBytes] = 0;
      this.#floats[row * floatFields + uncachedBytes] = 0;
      this.#floats[row * floatFields + promptTokens] = 0;
      this.#floats[row * floatFields + responseTokens] = 0;
      // It may have died in a merge.
      Atomics.compareExchange(this.#pools, slot * 2 + 1, worker + 1, 0);
    }
    this.prompts.closeRow(worker);
  }

  /** Clears a slot before another engine gets it. */
  clearSlot(slot: number): void {
    this.#totals.fill(0, slot * intFields, (slot + 1) * intFields);
    this.#pools.fill(0, slot * 2, slot * 2 + 2);
    this.#shared.fill(0, slot * sharedFields, (slot + 1) * sharedFields);
    for (let worker = 0; worker < this.workers; worker += 1) {
      const row = worker * this.slots + slot;
      this.#rows[row] = 0;
      this.#floats.fill(0, row * floatFields, (row + 1) * floatFields);
    }
    this.prefixes.clearSlot(slot);
  }

  /** Requests at the engine, from all workers. A plain read is never torn, and costs a policy a tenth of an atomic one. */
  inFlight(slot: number): number {
    return this.#totals[slot * intFields + inFlight]!;
  }

  /** Bytes of the prompts at the engine, from all workers. */
  promptBytes(slot: number): number {
    return this.#sum(slot, promptBytes);
  }

  /** Bytes of these that the engine's cache does not have, as far as the pool's policy knows: all of them where it does not. */
  uncachedBytes(slot: number): number {
    return this.#sum(slot, uncachedBytes);
  }

  /** Tokens of the prompts at the engine, from all workers. */
  promptTokens(slot: number): number {
    return this.#sum(slot, promptTokens);
  }
  /** Tokens of the answers that are being decoded there, so far. */
  responseTokens(slot: number): number {
    return this.#sum(slot, responseTokens);
  }
  /** What the requests of this proxy have of its KV cache, in tokens: prompts, and answers so far. */
  kvTokens(slot: number): number {
    return this.promptTokens(slot) + this.responseTokens(slot);
  }

  /** A request has ended well: ms from its sending to the first byte of its answer, and to the last. */
  observe(slot: number, firstMs: number, wholeMs: number): void {
    this.#average(slot * sharedFields + firstByteMs, firstMs);
    this.#average(slot * sharedFields + serviceMs, wholeMs);
  }
  /** Two workers that write at once lose one of many observations. */
  #average(at: number, ms: number): void {
    const before = this.#shared[at]!;
    this.#shared[at] = before === 0 ? ms : before + averageShare * (ms - before);
  }
  /** Lately, on average; 0 = none has ended yet. */
  firstByteMs(slot: number): number {
    return this.#shared[slot * sharedFields + firstByteMs]!;
  }
  serviceMs(slot: number): number {
    return this.#shared[slot * sharedFields + serviceMs]!;
  }

  fails(slot: number): number {
    return this.#totals[slot * intFields + fails]!;
  }
  addFail(slot: number): void {
    Atomics.add(this.#totals, slot * intFields + fails, 1);
  }
  clearFails(slot: number): void {
    Atomics.store(this.#totals, slot * intFields + fails, 0);
  }
  failCheckedAt(slot: number): number {
    return this.#shared[slot * sharedFields + failCheckedAt]!;
  }
  setFailCheckedAt(slot: number, ms: number): void {
    this.#shared[slot * sharedFields + failCheckedAt] = ms;
  }
  failAccessedAt(slot: number): number {
    return this.#shared[slot * sharedFields + failAccessedAt]!;
  }
  setFailAccessedAt(slot: number, ms: number): void {
    this.#shared[slot * sharedFields + failAccessedAt] = ms;
  }

  /** Since when the engine has been taking requests, where it is given little at first; 0 = it does not. */
  startedAt(slot: number): number {
    return this.#shared[slot * sharedFields + startedAt]!;
  }
  setStartedAt(slot: number, ms: number): void {
    this.#shared[slot * sharedFields + startedAt] = ms;
  }

  /** When the engine is expected to have done all that it was given, by the pool's policy; 0 = nothing was expected yet. */
  availableAt(slot: number): number {
    return this.#shared[slot * sharedFields + availableAt]!;
  }
  setAvailableAt(slot: number, ms: number): void {
    this.#shared[slot * sharedFields + availableAt] = ms;
  }

  /** By the engine's own word of a moment ago: requests there that are not this proxy's, and the share of its KV cache that is in use. */
  setSignal(slot: number, count: number, share: number | undefined): void {
    // Each number stands for itself: to read one that is new beside one that is old does no harm.
    const at = slot * sharedFields;
    this.#shared[at + kvUseAtTokens] = this.kvTokens(slot);
    this.#shared[at + kvUse] = share ?? 0;
    this.#totals[slot * intFields + tellsKvUse] = share === undefined ? 0 : 1;
    this.#totals[slot * intFields + externalRequests] = count;
  }
  /** Its word is not to be had any more. */
  clearSignal(slot: number): void {
    this.setSignal(slot, 0, undefined);
  }

  /** Requests at the engine that others have sent there, as far as is known; 0 = none, or it is not known. */
  externalRequests(slot: number): number {
    return this.#totals[slot * intFields + externalRequests]!;
  }
  /** All requests at the engine, as far as is known: `inFlight` and `externalRequests`. */
  load(slot: number): number {
    const at = slot * intFields;
    return this.#totals[at + inFlight]! + this.#totals[at + externalRequests]!;
  }
  /** Share of the KV cache in use by the engine's word; -1 = it is not known. */
  kvUse(slot: number): number {
    const isTold = this.#totals[slot * intFields + tellsKvUse] === 1;
    return isTold ? this.#shared[slot * sharedFields + kvUse]! : -1;
  }
  /** By how much `kvTokens` has grown since `kvUse` was told. */
  tokensSinceKvUse(slot: number): number {
    return this.kvTokens(slot) - this.#shared[slot * sharedFields + kvUseAtTokens]!;
  }

  /** Decayed history plus all assigned since the last merge, of all workers. */
  historyRequests(slot: number): number {
    const at = slot * sharedFields;
    return (
      this.#shared[at + historyRequests]! +
      this.#sum(slot, assignedRequests) -
      this.#shared[at + baseRequests]!
    );
  }
  historyBytes(slot: number): number {
    const at = slot * sharedFields;
    return (
      this.#shared[at + historyBytes]! +
      this.#sum(slot, assignedBytes) -
      this.#shared[at + baseBytes]!
    );
  }

  /** Counts one assignment in a pool; `true` when it is the one that makes a merge due. The pool's first slot holds the count. */
  countTowardsMerge(poolSlot: number, threshold: number): boolean {
    return Atomics.add(this.#pools, poolSlot * 2, 1) + 1 >= threshold;
  }

  /** Decays the history of a pool's slots and merges the recent assignments into it; one worker at a time. */
  mergeHistory(slots: ArrayLike<number>, decay: number): void {
    const poolSlot = slots[0]!;
    const lock = poolSlot * 2 + 1;
    if (Atomics.compareExchange(this.#pools, lock, 0, this.worker + 1) !== 0) return;
    Atomics.store(this.#pools, poolSlot * 2, 0);
    for (let i = 0; i < slots.length; i += 1) {
      const slot = slots[i]!;
      const at = slot * sharedFields;
      const requests = this.#sum(slot, assignedRequests);
      const bytes = this.#sum(slot, assignedBytes);
      const recentRequests = requests - this.#shared[at + baseRequests]!;
      const recentBytes = bytes - this.#shared[at + baseBytes]!;
      this.#shared[at + historyRequests] =
        Math.floor(this.#shared[at + historyRequests]! / decay) + recentRequests;
      this.#shared[at + historyBytes] =
        Math.floor(this.#shared[at + historyBytes]! / decay) + recentBytes;
      this.#shared[at + baseRequests] = requests;
      this.#shared[at + baseBytes] = bytes;
    }
    Atomics.store(this.#pools, lock, 0);
  }

  #sum(slot: number, field: number): number {
    // A policy asks this of every engine for every request.
    const floats = this.#floats;
    const rowFloats = this.slots * floatFields;
    let sum = 0;
    for (let at = slot * floatFields + field; at < floats.length; at += rowFloats) {
      sum += floats[at]!;
    }
    return sum;
  }
}
