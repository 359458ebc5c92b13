/** The engines of a pool, as the ordering of its queue sees them. */
import type { Pool } from "../pool/pool.ts";
import type { CacheSource } from "../prefix-cache/cache-knowledge.ts";
import type { ReportedPrefixCache } from "../prefix-cache/reported-prefix-cache.ts";
import type { EngineView } from "./orderings/shared/ordering.ts";

export class PoolEngines implements EngineView {
  /** The wall clock, in ms since the epoch: read once for all engines, before each pass. */
  wallMs = 0;
  #pool: Pool;
  /** When slow start was looked at. */
  #refreshedMs = 0;
  /** By the engines' index. */
  #sources: readonly (CacheSource | undefined)[] = [];

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** The pool of a new configuration. */
  use(pool: Pool): void {
    this.#pool = pool;
  }

  follow(sources: readonly (CacheSource | undefined)[]): void {
    this.#sources = sources;
  }

  get size(): number {
    return this.#pool.size;
  }

  isAnyAvailable(): boolean {
    return this.#pool.engines.some((engine) => this.#pool.isAvailable(engine, this.wallMs));
  }

  isAvailable(engine: number): boolean {
    const pool = this.#pool;
    const one = pool.engines[engine]!;
    if (!pool.isAvailable(one, this.wallMs)) return false;
    return !one.backup || !this.#isAnyPrimaryAvailable();
  }

  hasCapacity(engine: number, open: number): boolean {
    const { maxConns, slot } = this.#pool.engines[engine]!;
    return maxConns === 0 || Math.max(open, this.#pool.board.inFlight(slot)) < maxConns;
  }

  holders(model: string): ArrayLike<number> | undefined {
    return model === "" ? undefined : this.#pool.models.holders(model);
  }

  otherRequests(engine: number, open: number): number {
    const { board, engines } = this.#pool;
    const { slot } = engines[engine]!;
    return Math.max(0, board.inFlight(slot) - open) + board.signals.externalRequests(slot);
  }

  share(engine: number): number {
    const pool = this.#pool;
    if (this.#refreshedMs !== this.wallMs) pool.health.refresh(this.wallMs);
    this.#refreshedMs = this.wallMs;
    return pool.weights[engine]! / pool.engines[engine]!.weight;
  }

  reportedCache(engine: number): ReportedPrefixCache | undefined {
    return this.#sources[engine]?.cache;
  }

  tokensOf(bytes: number): number {
    return this.#pool.ratio.tokensOf(bytes);
  }

  #isAnyPrimaryAvailable(): boolean {
    return this.#pool.engines.some(
      (engine) => !engine.backup && this.#pool.isAvailable(engine, this.wallMs),
    );
  }
}
