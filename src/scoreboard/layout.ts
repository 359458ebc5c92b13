/** How the scoreboard lies in shared memory: the fields of each slot, and where each array starts. */

import { kvCountsLength } from "./kv-counts.ts";
import { legCountsLength } from "./leg-counts.ts";
import { prefixJournalLength } from "./prefix-journal.ts";
import { promptListLength } from "./prompt-list.ts";
import { requestCountsLength } from "./request-counts.ts";

export interface ScoreboardSize {
  readonly workers: number;
  readonly slots: number;
}

/** Integers of a slot that all workers share, written with Atomics. */
export const totalFields = 4;
/** Requests at the engine now. Kept beside the workers' own counts, because it gates `max_conns`. */
export const totalInFlight = 0;
/** Failures that count towards `maxFails`. */
export const totalFails = 1;
/**
 * What the engine reports. It lies beside the count that it is added to, because policies read both of every engine.
 */
export const totalExternal = 2;
export const totalHasKvUse = 3;

/** Numbers of a slot of which each worker has its own. */
export const rowFields = 6;
/** Bytes of the prompts at the engine now. */
export const rowPromptBytes = 0;
/** Requests and bytes ever assigned, for policies that use history. They only grow. */
export const rowAssignedRequests = 1;
export const rowAssignedBytes = 2;
/** Bytes of the prompts at the engine now that its cache does not have. */
export const rowUncachedBytes = 3;
/** Tokens of the prompts at the engine now, and of their responses so far. Whole numbers, so that sums stay exact. */
export const rowPromptTokens = 4;
export const rowResponseTokens = 5;

/** Numbers of a slot that all workers share: times in ms since the epoch, averages, and values of the pool's policy. */
export const sharedFields = 19;
export const sharedFailCheckedAt = 0;
export const sharedFailAccessedAt = 1;
export const sharedHistoryRequests = 2;
export const sharedHistoryBytes = 3;
export const sharedBaseRequests = 4;
export const sharedBaseBytes = 5;
export const sharedAvailableAt = 6;
export const sharedKvUse = 7;
export const sharedKvUseAtTokens = 8;
export const sharedFirstByteMs = 9;
export const sharedServiceMs = 10;
export const sharedStartedAt = 11;
export const sharedBusyUntil = 12;
export const sharedEjectedUntil = 13;
export const sharedEjectedAt = 14;
export const sharedRespondedAt = 15;
/** Of a pool, at its first slot: how long first bytes usually take, as multiples of what is predicted. */
export const sharedEarlyPace = 16;
export const sharedWholePace = 17;
export const sharedServedUpTo = 18;

/** Integers of a slot for outlier ejection and active health checks, written with Atomics. */
export const healthFields = 12;
/** Ejections, of which each makes the next one longer; and why the last one was. */
export const healthEjections = 0;
export const healthReason = 1;
/** Results of requests in the current window. */
export const healthResults = 2;
export const healthFailures = 3;
/** After an ejection one request tries the engine: whether it is under way. */
export const healthIsTried = 4;
/** It fails, but too much of its pool is ejected already. */
export const healthIsSpared = 6;
/** Whether its health checks fail. */
export const healthIsUnhealthy = 5;
/** Ejections, by reason: the first of four fields, for the reasons from 1 on. */
export const healthEjectedFor = 7;
/** Requests that it has refused since another engine has refused one of them as well. */
export const healthRefusals = 11;

/**
 * Integers of a pool, at its first slot: assignments since the last merge of its history, the lock of the merge, and
 * the number of the window over which success rates are counted.
 */
export const poolFields = 3;
export const poolAssignments = 0;
export const poolLock = 1;
export const poolWindow = 2;

const headerInts = 2;

/** The offset of each array, in bytes. */
export function offsetsOf({ workers, slots }: ScoreboardSize) {
  const totals = headerInts * 4;
  const pools = totals + slots * totalFields * 4;
  const health = pools + slots * poolFields * 4;
  const rows = health + slots * healthFields * 4;
  const floats = (rows + workers * slots * 4 + 7) & ~7;
  const shared = floats + workers * slots * rowFields * 8;
  const kv = shared + slots * sharedFields * 8;
  const legs = kv + kvCountsLength({ workers, slots });
  const requests = legs + legCountsLength({ workers, slots });
  const prompts = requests + requestCountsLength(workers);
  const prefixes = prompts + promptListLength(workers);
  const byteLength = prefixes + prefixJournalLength(workers, slots);
  return {
    totals,
    pools,
    health,
    rows,
    floats,
    shared,
    kv,
    legs,
    requests,
    prompts,
    prefixes,
    byteLength,
  };
}

/** The memory of a new scoreboard; hand it to each worker. */
export function createScoreboardMemory(size: ScoreboardSize): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(offsetsOf(size).byteLength);
  new Int32Array(memory, 0, headerInts).set([size.workers, size.slots]);
  return memory;
}

/** The size that `createScoreboardMemory` wrote into the memory. */
export function sizeOf(memory: SharedArrayBuffer): ScoreboardSize {
  const [workers = 0, slots = 0] = new Int32Array(memory, 0, headerInts);
  return { workers, slots };
}

/** The arrays that the parts of one scoreboard share. */
export interface ScoreboardArrays extends ScoreboardSize {
  /** The worker whose row this scoreboard writes, from 0. */
  readonly worker: number;
  readonly totals: Int32Array;
  readonly pools: Int32Array;
  readonly health: Int32Array;
  readonly floats: Float64Array;
  readonly shared: Float64Array;
}

/** Sums one field of a slot over all workers. A policy asks this of every engine for every request. */
export function sumOf({ floats, slots }: ScoreboardArrays, slot: number, field: number): number {
  const stride = slots * rowFields;
  let sum = 0;
  for (let at = slot * rowFields + field; at < floats.length; at += stride) sum += floats[at]!;
  return sum;
}
