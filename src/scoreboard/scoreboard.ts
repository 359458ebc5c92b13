/**
 * The load of every engine, shared by all workers through one SharedArrayBuffer.
 *
 * A slot belongs to an engine's identity (pool and address), never to its position in a list. Each worker has a row
 * that only it writes, so the share of a dead worker can be returned and no update is lost; counts that gate
 * (`inFlight`) also have a total, updated with Atomics. Byte sums are float64: exact to 2^53 bytes, and an aligned
 * float64 is not torn on a 64-bit machine.
 */
import { FailureCounts } from "./failures.ts";
import { HealthCounts } from "./health-counts.ts";
import { AssignmentHistory } from "./history.ts";
import { KvCounts } from "./kv-counts.ts";
import {
  healthFields,
  offsetsOf,
  poolFields,
  rowAssignedBytes,
  rowAssignedRequests,
  rowFields,
  rowPromptBytes,
  rowPromptTokens,
  rowResponseTokens,
  rowUncachedBytes,
  type ScoreboardArrays,
  sharedAvailableAt,
  sharedBusyUntil,
  sharedFields,
  sharedFirstByteMs,
  sharedServiceMs,
  sharedStartedAt,
  sizeOf,
  sumOf,
  totalExternal,
  totalFields,
  totalInFlight,
} from "./layout.ts";
import { LegCounts } from "./leg-counts.ts";
import { PrefixJournal } from "./prefix-journal.ts";
import { PromptList } from "./prompt-list.ts";
import { RequestCounts } from "./request-counts.ts";
import { EngineSignals } from "./signals.ts";
import { UsualTimes } from "./usual-times.ts";

export { createScoreboardMemory, type ScoreboardSize } from "./layout.ts";

/** The weight of the newest request in the averages of latencies. */
const averageShare = 0.1;

export class Scoreboard {
  readonly workers: number;
  readonly slots: number;
  readonly worker: number;
  /** For policies that list the prompts which they placed. */
  readonly prompts: PromptList;
  /** For policies that use prefixes. */
  readonly prefixes: PrefixJournal;
  readonly failures: FailureCounts;
  readonly health: HealthCounts;
  readonly usual: UsualTimes;
  readonly history: AssignmentHistory;
  readonly signals: EngineSignals;
  readonly kv: KvCounts;
  readonly legs: LegCounts;
  readonly requests: RequestCounts;
  readonly #arrays: ScoreboardArrays;
  readonly #totals: Int32Array;
  /** Requests in flight of each worker. */
  readonly #rows: Int32Array;
  readonly #floats: Float64Array;
  readonly #shared: Float64Array;

  /** @param worker whose row this instance writes, from 0. */
  constructor(memory: SharedArrayBuffer, worker: number) {
    const size = sizeOf(memory);
    const { workers, slots } = size;
    const at = offsetsOf(size);
    this.workers = workers;
    this.slots = slots;
    this.worker = worker;
    this.#rows = new Int32Array(memory, at.rows, workers * slots);
    this.#arrays = {
      workers,
      slots,
      worker,
      totals: new Int32Array(memory, at.totals, slots * totalFields),
      pools: new Int32Array(memory, at.pools, slots * poolFields),
      health: new Int32Array(memory, at.health, slots * healthFields),
      floats: new Float64Array(memory, at.floats, workers * slots * rowFields),
      shared: new Float64Array(memory, at.shared, slots * sharedFields),
    };
    this.#totals = this.#arrays.totals;
    this.#floats = this.#arrays.floats;
    this.#shared = this.#arrays.shared;
    this.prompts = new PromptList(memory, at.prompts, workers, worker);
    this.prefixes = new PrefixJournal(memory, at.prefixes, size, worker);
    this.failures = new FailureCounts(this.#arrays);
    this.health = new HealthCounts(this.#arrays);
    this.usual = new UsualTimes(this.#arrays);
    this.history = new AssignmentHistory(this.#arrays);
    this.signals = new EngineSignals(this.#arrays);
    this.kv = new KvCounts(memory, at.kv, size, worker);
    this.legs = new LegCounts(memory, at.legs, size, worker);
    this.requests = new RequestCounts(memory, at.requests, workers, worker);
  }

  /**
   * Takes a place for one request. With `max` > 0 it fails when the engine has that many already: check and increment
   * are one atomic step, so the bound holds over all workers.
   * @param uncached bytes of the prompt that the engine has to compute, as far as is known
   * @param tokens of the prompt, a whole number
   */
  take(slot: number, bytes: number, max: number, uncached = bytes, tokens = 0): boolean {
    if (max > 0) {
      if (!this.#takeBelow(slot * totalFields + totalInFlight, max)) return false;
    } else Atomics.add(this.#totals, slot * totalFields + totalInFlight, 1);
    const row = this.worker * this.slots + slot;
    this.#rows[row] = this.#rows[row]! + 1;
    const at = row * rowFields;
    this.#floats[at + rowPromptBytes] = this.#floats[at + rowPromptBytes]! + bytes;
    this.#floats[at + rowAssignedRequests] = this.#floats[at + rowAssignedRequests]! + 1;
    this.#floats[at + rowAssignedBytes] = this.#floats[at + rowAssignedBytes]! + bytes;
    this.#floats[at + rowUncachedBytes] = this.#floats[at + rowUncachedBytes]! + uncached;
    this.#floats[at + rowPromptTokens] = this.#floats[at + rowPromptTokens]! + tokens;
    return true;
  }

  /** Adds one unless the total is at its bound. Adding first and undoing it would deny others a place that is free. */
  #takeBelow(total: number, max: number): boolean {
    let before = Atomics.load(this.#totals, total);
    while (before < max) {
      const found = Atomics.compareExchange(this.#totals, total, before, before + 1);
      if (found === before) return true;
      before = found;
    }
    return false;
  }

  /** Counts more tokens of a response, a whole number. Only leases call it. */
  addResponseTokens(slot: number, tokens: number): void {
    const at = (this.worker * this.slots + slot) * rowFields + rowResponseTokens;
    this.#floats[at] = this.#floats[at]! + tokens;
  }

  /** Returns what `take` took, and the tokens of the response. Only leases call it, once each. */
  giveBack(slot: number, bytes: number, uncached = bytes, tokens = 0, response = 0): void {
    Atomics.sub(this.#totals, slot * totalFields + totalInFlight, 1);
    const row = this.worker * this.slots + slot;
    this.#rows[row] = this.#rows[row]! - 1;
    const at = row * rowFields;
    this.#floats[at + rowPromptBytes] = this.#floats[at + rowPromptBytes]! - bytes;
    this.#floats[at + rowUncachedBytes] = this.#floats[at + rowUncachedBytes]! - uncached;
    this.#floats[at + rowPromptTokens] = this.#floats[at + rowPromptTokens]! - tokens;
    this.#floats[at + rowResponseTokens] = this.#floats[at + rowResponseTokens]! - response;
  }

  /** Returns all that a dead worker had taken. The main thread calls it once the worker has ended. */
  closeRow(worker: number): void {
    for (let slot = 0; slot < this.slots; slot += 1) {
      const row = worker * this.slots + slot;
      const taken = this.#rows[row]!;
      if (taken !== 0) Atomics.sub(this.#totals, slot * totalFields + totalInFlight, taken);
      this.#rows[row] = 0;
      this.#floats[row * rowFields + rowPromptBytes] = 0;
      this.#floats[row * rowFields + rowUncachedBytes] = 0;
      this.#floats[row * rowFields + rowPromptTokens] = 0;
      this.#floats[row * rowFields + rowResponseTokens] = 0;
      this.history.releaseLock(slot, worker);
    }
    this.prompts.closeRow(worker);
    this.kv.closeRow(worker);
    this.requests.closeRow(worker);
  }

  /** Clears a slot before another engine gets it. */
  clearSlot(slot: number): void {
    this.#totals.fill(0, slot * totalFields, (slot + 1) * totalFields);
    this.#arrays.pools.fill(0, slot * poolFields, (slot + 1) * poolFields);
    this.#arrays.health.fill(0, slot * healthFields, (slot + 1) * healthFields);
    this.#shared.fill(0, slot * sharedFields, (slot + 1) * sharedFields);
    for (let worker = 0; worker < this.workers; worker += 1) {
      const row = worker * this.slots + slot;
      this.#rows[row] = 0;
      this.#floats.fill(0, row * rowFields, (row + 1) * rowFields);
    }
    this.kv.clearSlot(slot);
    this.legs.clearSlot(slot);
    this.prefixes.clearSlot(slot);
  }

  /** Until when the engine wants no more requests, in ms since the epoch; 0 = it has never said so. */
  busyUntil(slot: number): number {
    return this.#shared[slot * sharedFields + sharedBusyUntil]!;
  }

  setBusyUntil(slot: number, ms: number): void {
    this.#shared[slot * sharedFields + sharedBusyUntil] = ms;
  }

  /** Requests at the engine, from all workers. A plain read is never torn, and costs a tenth of an atomic one. */
  inFlight(slot: number): number {
    return this.#totals[slot * totalFields + totalInFlight]!;
  }

  /** All requests at the engine, as far as is known: `inFlight`, and those that other clients sent. */
  load(slot: number): number {
    const at = slot * totalFields;
    return this.#totals[at + totalInFlight]! + this.#totals[at + totalExternal]!;
  }

  /** Requests, and bytes of prompts, that the engine was ever picked for. */
  picks(slot: number): number {
    return sumOf(this.#arrays, slot, rowAssignedRequests);
  }

  pickedBytes(slot: number): number {
    return sumOf(this.#arrays, slot, rowAssignedBytes);
  }

  /** Bytes of the prompts at the engine, from all workers. */
  promptBytes(slot: number): number {
    return sumOf(this.#arrays, slot, rowPromptBytes);
  }

  /** Those bytes that the engine's cache does not have, if the pool's policy knows it; otherwise all of them. */
  uncachedBytes(slot: number): number {
    return sumOf(this.#arrays, slot, rowUncachedBytes);
  }

  /** Tokens of the prompts at the engine, from all workers. */
  promptTokens(slot: number): number {
    return sumOf(this.#arrays, slot, rowPromptTokens);
  }

  /** Tokens so far of the responses that the engine is decoding. */
  responseTokens(slot: number): number {
    return sumOf(this.#arrays, slot, rowResponseTokens);
  }

  /** What this proxy's requests use of the engine's KV cache, in tokens: prompts, and responses so far. */
  kvTokens(slot: number): number {
    return this.promptTokens(slot) + this.responseTokens(slot);
  }

  /** A request has succeeded: ms from sending it to the first byte of the response, and to the last. */
  observe(slot: number, firstMs: number, wholeMs: number): void {
    this.#average(slot * sharedFields + sharedFirstByteMs, firstMs);
    this.#average(slot * sharedFields + sharedServiceMs, wholeMs);
  }

  /** A request has left the engine without a response: it would have taken longer than this. */
  observeWait(slot: number, waitedMs: number): void {
    const at = slot * sharedFields + sharedFirstByteMs;
    if (waitedMs > this.#shared[at]!) this.#average(at, waitedMs);
  }

  /** Two workers that write at once lose one of many observations. */
  #average(at: number, ms: number): void {
    const before = this.#shared[at]!;
    this.#shared[at] = before === 0 ? ms : before + averageShare * (ms - before);
  }

  /** Averages of the latest requests, in ms; 0 = none has succeeded yet. */
  firstByteMs(slot: number): number {
    return this.#shared[slot * sharedFields + sharedFirstByteMs]!;
  }

  serviceMs(slot: number): number {
    return this.#shared[slot * sharedFields + sharedServiceMs]!;
  }

  /** When the engine's slow start began, in ms since the epoch; 0 = it has none. */
  startedAt(slot: number): number {
    return this.#shared[slot * sharedFields + sharedStartedAt]!;
  }

  setStartedAt(slot: number, ms: number): void {
    this.#shared[slot * sharedFields + sharedStartedAt] = ms;
  }

  /** When the pool's policy expects the engine to have finished all its requests; 0 = no expectation yet. */
  availableAt(slot: number): number {
    return this.#shared[slot * sharedFields + sharedAvailableAt]!;
  }

  setAvailableAt(slot: number, ms: number): void {
    this.#shared[slot * sharedFields + sharedAvailableAt] = ms;
  }
}
