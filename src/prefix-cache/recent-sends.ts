/**
 * What was sent to engines a short time ago. It may still be computed, so that its engine does not tell of it yet; but
 * what comes next will find it there. It is kept for two to four times as long as an answer takes there of late, while
 * the engine has anything to do.
 */
import { type ModelledPrefixCache, modelledCachesOf } from "./modelled-prefix-cache.ts";

/** So many times the mean: in a queue, some wait longer than that. */
const answers = 2;
/** How long it is kept at the least, in ms: until it is known how long answers take. */
const leastMs = 1_000;

/** What is read of the scoreboard. */
export interface EngineActivity {
  /** Requests at the engine, those of others included. */
  load(slot: number): number;
  /** Mean time to the first byte of late, in ms. */
  firstByteMs(slot: number): number;
}

interface ActivePool {
  readonly size: number;
  readonly slots: ArrayLike<number>;
  readonly board: EngineActivity;
}

export class RecentSends {
  readonly #pool: ActivePool;
  /** Two of each engine: what has been sent since `sinceMs`, and for as long before that. */
  readonly #young: ModelledPrefixCache[];
  readonly #old: ModelledPrefixCache[];
  readonly #sinceMs: Float64Array;

  constructor(pool: ActivePool) {
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
