/** What was assigned to each engine in the past, decayed from time to time, for policies that balance over history. */
import {
  poolAssignments,
  poolFields,
  poolLock,
  rowAssignedBytes,
  rowAssignedRequests,
  type ScoreboardArrays,
  sharedBaseBytes,
  sharedBaseRequests,
  sharedFields,
  sharedHistoryBytes,
  sharedHistoryRequests,
  sumOf,
} from "./layout.ts";

export class AssignmentHistory {
  readonly #arrays: ScoreboardArrays;
  readonly #shared: Float64Array;
  readonly #pools: Int32Array;

  constructor(arrays: ScoreboardArrays) {
    this.#arrays = arrays;
    this.#shared = arrays.shared;
    this.#pools = arrays.pools;
  }

  /** Decayed history plus all assignments since the last merge, over all workers. */
  requests(slot: number): number {
    const at = slot * sharedFields;
    return (
      this.#shared[at + sharedHistoryRequests]! +
      sumOf(this.#arrays, slot, rowAssignedRequests) -
      this.#shared[at + sharedBaseRequests]!
    );
  }

  bytes(slot: number): number {
    const at = slot * sharedFields;
    return (
      this.#shared[at + sharedHistoryBytes]! +
      sumOf(this.#arrays, slot, rowAssignedBytes) -
      this.#shared[at + sharedBaseBytes]!
    );
  }

  /** Counts one assignment in a pool, at the pool's first slot; returns whether a merge is now due. */
  countTowardsMerge(poolSlot: number, threshold: number): boolean {
    return Atomics.add(this.#pools, poolSlot * poolFields + poolAssignments, 1) + 1 >= threshold;
  }

  /** Decays the history of a pool's slots and merges the recent assignments into it; one worker at a time. */
  merge(slots: ArrayLike<number>, decay: number): void {
    const pool = slots[0]! * poolFields;
    const owner = this.#arrays.worker + 1;
    if (Atomics.compareExchange(this.#pools, pool + poolLock, 0, owner) !== 0) return;
    Atomics.store(this.#pools, pool + poolAssignments, 0);
    const shared = this.#shared;
    for (let i = 0; i < slots.length; i += 1) {
      const slot = slots[i]!;
      const at = slot * sharedFields;
      const requests = sumOf(this.#arrays, slot, rowAssignedRequests);
      const bytes = sumOf(this.#arrays, slot, rowAssignedBytes);
      const recentRequests = requests - shared[at + sharedBaseRequests]!;
      const recentBytes = bytes - shared[at + sharedBaseBytes]!;
      shared[at + sharedHistoryRequests] =
        Math.floor(shared[at + sharedHistoryRequests]! / decay) + recentRequests;
      shared[at + sharedHistoryBytes] =
        Math.floor(shared[at + sharedHistoryBytes]! / decay) + recentBytes;
      shared[at + sharedBaseRequests] = requests;
      shared[at + sharedBaseBytes] = bytes;
    }
    Atomics.store(this.#pools, pool + poolLock, 0);
  }

  /** Releases the lock of a worker that died during a merge. */
  releaseLock(slot: number, worker: number): void {
    Atomics.compareExchange(this.#pools, slot * poolFields + poolLock, worker + 1, 0);
  }
}
