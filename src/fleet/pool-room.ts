/** How many requests are on their way to or at each pool's engines, so that none sets out for which there is no room. */
import type { Pool } from "./pool.ts";

export class PoolRoom {
  readonly #pools: ReadonlyMap<string, Pool>;
  /** Of each pool, also of those that a reload has taken away. */
  readonly #admitted: Map<string, number>;
  readonly #freed: () => void;

  /**
   * @param before whose requests are still on their way
   * @param freed told each time when there may be more room
   */
  constructor(pools: ReadonlyMap<string, Pool>, before?: PoolRoom, freed: () => void = () => {}) {
    this.#pools = pools;
    this.#admitted = before === undefined ? new Map() : before.#admitted;
    this.#freed = freed;
  }

  /** Of all pools. */
  get admittedCount(): number {
    let count = 0;
    for (const admitted of this.#admitted.values()) count += admitted;
    return count;
  }

  /** Into all of these pools, or none: false = the engines of one have as many as they may (`maxConns`). @param nowMs since the epoch */
  admit(pools: readonly string[], nowMs: number): boolean {
    for (let i = 0; i < pools.length; i += 1) {
      const pool = pools[i]!;
      if (this.hasRoom(pool, nowMs)) this.#count(pool, 1);
      else {
        for (const before of pools.slice(0, i)) this.#count(before, -1);
        return false;
      }
    }
    return true;
  }

  leave(pool: string): void {
    this.#count(pool, -1);
    this.#freed();
  }

  #count(pool: string, more: number): void {
    const count = (this.#admitted.get(pool) ?? 0) + more;
    if (count > 0 || this.#pools.has(pool)) this.#admitted.set(pool, count);
    else this.#admitted.delete(pool);
  }

  /** Backups are asked where the others are full. Requests that have not come this way, such as those of another route, take places, too. */
  hasRoom(name: string, nowMs: number): boolean {
    const pool = this.#pools.get(name);
    let places = 0;
    let inFlight = 0;
    for (const engine of pool?.engines ?? []) {
      if (!pool!.isFit(engine, nowMs)) continue;
      if (engine.maxConns === 0) return true;
      places += engine.maxConns;
      inFlight += pool!.board.inFlight(engine.slot);
    }
    // A pool that has no engines is another's to tell of.
    return places === 0 || Math.max(this.#admitted.get(name) ?? 0, inFlight) < places;
  }
}
