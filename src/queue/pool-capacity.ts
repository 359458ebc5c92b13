/**
 * How many requests are on their way to or at each pool's engines, so that no request is let go for which there is no
 * capacity.
 */
import type { Pool } from "../pool/pool.ts";

const noSlots: readonly number[] = [];

export class PoolCapacity {
  readonly #pools: ReadonlyMap<string, Pool>;
  /** By pool, also pools that a reload has removed. */
  readonly #reserved: Map<string, number>;
  /** Slots of engines that a reload has removed from a pool, where requests may still be. */
  readonly #removed = new Map<string, readonly number[]>();
  readonly #freed: () => void;

  /**
   * @param before whose requests are still on their way
   * @param freed called each time there may be more capacity
   */
  constructor(
    pools: ReadonlyMap<string, Pool>,
    before?: PoolCapacity,
    freed: () => void = () => {},
  ) {
    this.#pools = pools;
    this.#reserved = before === undefined ? new Map() : before.#reserved;
    this.#freed = freed;
    if (before === undefined) return;
    for (const [name, { board, slots }] of pools) {
      const known = [...(before.#pools.get(name)?.slots ?? []), ...before.#removedFrom(name)];
      const removed = known.filter((slot) => !slots.includes(slot) && board.inFlight(slot) > 0);
      if (removed.length > 0) this.#removed.set(name, removed);
    }
  }

  /** In all pools. */
  get reservedCount(): number {
    let count = 0;
    for (const reserved of this.#reserved.values()) count += reserved;
    return count;
  }

  /**
   * In all of these pools or in none: false = the engines of one have as many requests as they may (`maxConns`).
   * @param nowMs since the epoch
   */
  reserve(pools: readonly string[], nowMs: number): boolean {
    for (let i = 0; i < pools.length; i += 1) {
      const pool = pools[i]!;
      if (this.hasCapacity(pool, nowMs)) this.#count(pool, 1);
      else {
        for (const before of pools.slice(0, i)) this.#count(before, -1);
        return false;
      }
    }
    return true;
  }

  release(pool: string): void {
    this.#count(pool, -1);
    this.#freed();
  }

  /**
   * Backups are used if the others are full. Requests that did not come through the queue, such as those of another
   * route, count as well. Requests at ejected or removed engines do not use up capacity.
   */
  hasCapacity(name: string, nowMs: number): boolean {
    const pool = this.#pools.get(name);
    // A pool that does not exist is for the request's route to complain about.
    if (pool === undefined) return true;
    const { board } = pool;
    let places = 0;
    let here = 0;
    let elsewhere = 0;
    for (const engine of pool.engines) {
      const inFlight = board.inFlight(engine.slot);
      if (!pool.isAvailable(engine, nowMs)) elsewhere += inFlight;
      else if (engine.maxConns === 0) return true;
      else {
        places += engine.maxConns;
        here += inFlight;
      }
    }
    for (const slot of this.#removedFrom(name)) elsewhere += board.inFlight(slot);
    // With those that were let go and have no engine yet.
    const soon = (this.#reserved.get(name) ?? 0) - elsewhere;
    return places === 0 || Math.max(here, soon) < places;
  }

  #count(pool: string, change: number): void {
    const count = (this.#reserved.get(pool) ?? 0) + change;
    if (count > 0 || this.#pools.has(pool)) this.#reserved.set(pool, count);
    else this.#reserved.delete(pool);
  }

  #removedFrom(name: string): readonly number[] {
    return this.#removed.get(name) ?? noSlots;
  }
}
