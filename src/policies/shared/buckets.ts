/**
 * A pool's engines in buckets by the length of prompts: in the order of the configuration, as many in each as can be.
 */
import { LowestScore } from "./lowest-score.ts";
import type { Candidates, PickRequest, PoolView } from "./policy.ts";

export class Buckets {
  readonly #pool: PoolView;
  readonly #bucketOf: Int32Array;
  readonly #least: LowestScore;
  #bucket = 0;
  #distance = 0;
  readonly #bytesOfNear = (engine: number): number => {
    if (this.#distanceTo(engine) > this.#distance) return Number.POSITIVE_INFINITY;
    const { board, slots, weights } = this.#pool;
    return board.promptBytes(slots[engine]!) / weights[engine]!;
  };

  constructor(pool: PoolView, count: number, random: () => number) {
    this.#pool = pool;
    this.#least = new LowestScore(pool.size, random);
    this.#bucketOf = Int32Array.from({ length: pool.size }, (_, engine) =>
      Math.floor((engine * count) / pool.size),
    );
  }

  /** Fewest bytes in flight in a bucket, or in the nearest that has a fit engine. */
  pick(candidates: Candidates, request: PickRequest, bucket: number): number {
    this.#bucket = bucket;
    this.#distance = Number.POSITIVE_INFINITY;
    for (let i = 0; i < candidates.count; i += 1) {
      this.#distance = Math.min(this.#distance, this.#distanceTo(candidates.engines[i]!));
    }
    return this.#least.of(candidates, request, this.#bytesOfNear);
  }

  #distanceTo(engine: number): number {
    return Math.abs(this.#bucketOf[engine]! - this.#bucket);
  }
}
