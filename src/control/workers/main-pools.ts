/** The pools as the main thread sees them: for the admin pages, and for the queue that serves several workers. */
import type { Config } from "../../config/schema/schema.ts";
import type { DiscoveredByIdentity } from "../../pool/discovered-attributes.ts";
import { Pool } from "../../pool/pool.ts";
import type { SlotsByIdentity } from "../../pool/slots.ts";
import type { Credentials } from "../../proxy/admission/tenants/credentials.ts";
import type { Scoreboard } from "../../scoreboard/scoreboard.ts";

/** A configuration with the scoreboard slots of its engines. */
export interface AppliedConfig {
  readonly config: Config;
  readonly slots: SlotsByIdentity;
  readonly credentials: Credentials;
}

export interface MainPoolsDeps {
  readonly board: Scoreboard;
  /** Uniform in [0, 1). */
  random(): number;
}

export class MainPools {
  readonly #deps: MainPoolsDeps;
  readonly #pools = new Map<string, Pool>();
  #discovered: DiscoveredByIdentity = {};

  constructor(deps: MainPoolsDeps) {
    this.#deps = deps;
  }

  get all(): readonly Pool[] {
    return [...this.#pools.values()];
  }

  /** Replaces all pools by those of these configurations. If several have a pool of one name, the last one counts. */
  use(...configurations: readonly AppliedConfig[]): void {
    this.#pools.clear();
    for (const { config, slots } of configurations) {
      for (const [name, poolConfig] of Object.entries(config.pools)) {
        const pool = new Pool(name, poolConfig, { ...this.#deps, slots });
        pool.applyDiscovered(this.#discovered);
        this.#pools.set(name, pool);
      }
    }
  }

  applyDiscovered(discovered: DiscoveredByIdentity): void {
    this.#discovered = discovered;
    for (const pool of this.#pools.values()) pool.applyDiscovered(discovered);
  }
}
