/** How many requests are on their way through prefill and decode, so that none is prefilled for which decode has no room. */
import type { Pool } from "./pool.ts";

export class DecodeRoom {
  readonly #pools: ReadonlyMap<string, Pool>;
  /** Of each decode pool, also of those that a reload has taken away. */
  readonly #admitted: Map<string, number>;

  /** @param before whose requests are still on their way */
  constructor(pools: ReadonlyMap<string, Pool>, before?: DecodeRoom) {
    this.#pools = pools;
    this.#admitted = before === undefined ? new Map() : before.#admitted;
  }

  /** False = its engines have as many as they may (`maxConns`). */
  admit(pool: string): boolean {
    const count = this.#admitted.get(pool) ?? 0;
    if (count >= this.#placesIn(pool)) return false;
    this.#admitted.set(pool, count + 1);
    return true;
  }

  leave(pool: string): void {
    const count = (this.#admitted.get(pool) ?? 0) - 1;
    if (count > 0 || this.#pools.has(pool)) this.#admitted.set(pool, count);
    else this.#admitted.delete(pool);
  }

  #placesIn(name: string): number {
    let places = 0;
    for (const { maxConns, down, isReady, backup } of this.#pools.get(name)?.engines ?? []) {
      if (down || !isReady || backup) continue;
      if (maxConns === 0) return Number.POSITIVE_INFINITY;
      places += maxConns;
    }
    // One that has no engines is another's to tell of.
    return places === 0 ? Number.POSITIVE_INFINITY : places;
  }
}
