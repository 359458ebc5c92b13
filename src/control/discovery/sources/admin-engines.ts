/** Engines that operators add on the admin listener. They stay over reloads and upgrades, not over a restart. */
import type { EngineConfig } from "../../../config/schema/schema.ts";
import { poolEnginesMax } from "../../../limits.ts";
import { addressKeyOf } from "./merge.ts";
import type { EngineSource, SourceDeps, SourceState } from "./source.ts";

export const adminSourceKey = "admin";

export class AdminEngines implements EngineSource {
  readonly name = "admin";
  readonly #deps: SourceDeps;
  /** By pool, and by address. */
  readonly #engines = new Map<string, Map<string, EngineConfig>>();

  constructor(deps: SourceDeps) {
    this.#deps = deps;
  }

  enginesOf(pool: string): readonly EngineConfig[] {
    return [...(this.#engines.get(pool)?.values() ?? [])];
  }

  /** Adds an engine, or changes one that was added before. @returns false = there is no room for it */
  add(pool: string, engine: EngineConfig): boolean {
    const ofPool = this.#engines.get(pool) ?? new Map<string, EngineConfig>();
    const address = addressKeyOf(engine);
    if (ofPool.size >= poolEnginesMax && !ofPool.has(address)) return false;
    this.#engines.set(pool, ofPool.set(address, engine));
    this.#deps.log("notice", `engine ${address} is added to pool "${pool}" by admin`);
    this.#deps.changed();
    return true;
  }

  /** @param address without a rank. @returns false = it was not added here */
  remove(pool: string, address: string): boolean {
    if (this.#engines.get(pool)?.delete(address) !== true) return false;
    this.#deps.log("notice", `engine ${address} is removed from pool "${pool}" by admin`);
    this.#deps.changed();
    return true;
  }

  /** A reload has taken pools away, and with them the engines that were added. */
  keep(pools: ReadonlySet<string>): void {
    for (const pool of [...this.#engines.keys()]) if (!pools.has(pool)) this.#engines.delete(pool);
  }

  async open(before?: SourceState): Promise<void> {
    const said = (before?.said ?? {}) as Readonly<Record<string, readonly EngineConfig[]>>;
    for (const [pool, engines] of Object.entries(said)) {
      this.#engines.set(pool, new Map(engines.map((one) => [addressKeyOf(one), one])));
    }
  }

  get state() {
    const said = Object.fromEntries(
      [...this.#engines].map(([pool]) => [pool, this.enginesOf(pool)]),
    );
    return { said };
  }

  close(): void {}
}
