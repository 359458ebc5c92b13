/** How many requests are on their way to or at each pool's engines, so that none sets out for which there is no room. */
import type { Pool } from "../pool/pool.ts";

const noSlots: readonly number[] = [];

export class PoolCapacity {
  readonly #pools: ReadonlyMap<string, Pool>;
  /** Of each pool, also of those that a reload has taken away. */
  readonly #admitted: Map<string, number>;
  /** Slots of engines that a reload has taken away from a pool, where requests may still be. */
  readonly #gone = new Map<string, readonly number[]>();
  readonly #freed: () => void;

  /**
   * @param before whose requests are still on their way
   * @param freed told each time when there may be more room
   */
  constructor(
    pools: ReadonlyMap<string, Pool>,
    before?: PoolCapacity,
    freed: () => void = () => {},
  ) {
    this.#pools = pools;
    this.#admitted = before === undefined ? new Map() : before.#admitted;
    this.#freed = freed;
    if (before === undefined) return;
    for (const [name, { board, slots }] of pools) {
      const known = [...(before.#pools.get(name)?.slots ?? []), ...before.#goneFrom(name)];
      const gone = known.filter((slot) => !slots.includes(slot) && board.inFlight(slot) > 0);
      if (gone.length > 0) this.#gone.set(name, gone);
    }
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
      if (this.hasCapacity(pool, nowMs)) this.#count(pool, 1);
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

  #goneFrom(name: string): readonly number[] {
    return this.#gone.get(name) ?? noSlots;
  }

  /**
   * Backups are asked where the others are full. Requests that have not come this way, such as those of another route, take places, too; those at
   * engines that take no more of them take none.
   */
  hasCapacity(name: string, nowMs: number): boolean {
    const pool = this.#pools.get(name);
    // A pool that has no engines is another's to tell of.
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
    for (const slot of this.#goneFrom(name)) elsewhere += board.inFlight(slot);
    // With those that were let in and have no engine yet.
    const soon = (this.#admitted.get(name) ?? 0) - elsewhere;
    return places === 0 || Math.max(here, soon) < places;
  }
}
