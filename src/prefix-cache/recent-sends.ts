/**
 * What was sent to engines a short time ago. It may still be computed, so that its engine does not tell of it yet; but what comes next will find it
 * there. It is kept for two to four times as long as an answer takes there of late, while the engine has anything to do.
 */
import type { PoolView } from "../policies/shared/policy.ts";
import { type ModelledPrefixCache, modelledCachesOf } from "./modelled-prefix-cache.ts";

/** So many times the mean: in a queue, some wait longer than that. */
const answers = 2;
/** How long it is kept at the least, in ms: until it is known how long answers take. */
const leastMs = 1_000;

export class RecentSends {
  readonly #pool: Pick<PoolView, "size" | "slots" | "board">;
  /** Two of each engine: what has been sent since `sinceMs`, and for as long before that. */
  readonly #young: ModelledPrefixCache[];
  readonly #old: ModelledPrefixCache[];
  readonly #sinceMs: Float64Array;

  constructor(pool: Pick<PoolView, "size" | "slots" | "board">) {
    this.#pool = pool;
    this.#young = modelledCachesOf(pool.size);
    this.#old = modelledCachesOf(pool.size);
    this.#sinceMs = new Float64Array(pool.size);
  }

  insert(engine: number, blocks: readonly number[], nowMs: number): void {
    this.#age(engine, nowMs);
    this.#young[engine]!.insert(blocks);
  }

  leadingBlocks(engine: number, blocks: readonly number[], nowMs: number): number {
    const { board, slots } = this.#pool;
    if (board.load(slots[engine]!) === 0) return 0;
    this.#age(engine, nowMs);
    const young = this.#young[engine]!.leadingBlocks(blocks);
    return Math.max(young, this.#old[engine]!.leadingBlocks(blocks));
  }

  clear(engine: number): void {
    this.#young[engine]!.clear();
    this.#old[engine]!.clear();
  }

  #age(engine: number, nowMs: number): void {
    const { board, slots } = this.#pool;
    const keptMs = Math.max(leastMs, answers * board.firstByteMs(slots[engine]!));
    const ageMs = nowMs - this.#sinceMs[engine]!;
    if (ageMs < keptMs) return;
    const young = this.#old[engine]!;
    this.#old[engine] = this.#young[engine]!;
    this.#young[engine] = young;
    young.clear();
    if (ageMs >= 2 * keptMs) this.#old[engine]!.clear();
    this.#sinceMs[engine] = nowMs;
  }
}
