/** What is found out about engines while the proxy runs: who they are, their dialects, and their attributes. */
import type { Config } from "../../config/schema/schema.ts";
import type { DiscoveredByIdentity } from "../../pool/discovered-attributes.ts";
import { DialectFinder, type FoundDialect } from "./dialect-finder.ts";
import { Prober } from "./prober.ts";
import { type RegisteredEngines, Registrar } from "./registrar.ts";

export interface DiscoveryDeps {
  log(level: "notice" | "warn" | "error", message: string): void;
  /** Attributes of engines have changed. */
  discovered(discovered: DiscoveredByIdentity): void;
  /** Engines or dialects have changed: the configuration is to be applied again. */
  changed(): void;
}

/** What was found out, for the process that takes over. */
export interface DiscoveryState {
  readonly registered: readonly RegisteredEngines[];
  readonly dialects: readonly FoundDialect[];
}

export class Discovery {
  readonly #prober: Prober;
  readonly #finder: DialectFinder;
  readonly #registrar: Registrar;

  /** @param before what the process before had found out */
  constructor(deps: DiscoveryDeps, before?: DiscoveryState) {
    this.#prober = new Prober({
      log: (message) => deps.log("notice", message),
      changed: (discovered) => deps.discovered(discovered),
    });
    this.#finder = new DialectFinder(deps, before?.dialects);
    this.#registrar = new Registrar(deps, before?.registered);
  }

  /** By the engines' identities. */
  get discovered(): DiscoveredByIdentity {
    return this.#prober.discovered;
  }

  /** Listens for engines as this configuration says. Rejects with a ServeError. */
  open(config: Config): Promise<void> {
    return this.#registrar.open(config);
  }

  /**
   * The configuration with what was discovered since: engines that have registered, and dialects. Resolves when its new
   * engines have been asked for their attributes, so that no request goes to one that is known not to be ready.
   */
  async resolve(written: Config): Promise<Config> {
    const config = this.#finder.resolve(this.#registrar.resolve(written));
    await this.#prober.use(config);
    return config;
  }

  /** This configuration is in force, as written. */
  use(config: Config): void {
    this.#finder.use(config);
    this.#registrar.use(config);
  }

  /** Another configuration could not be applied: this one stays. */
  restore(config: Config): void {
    this.#registrar.use(config);
    void this.#prober.use(this.#finder.resolve(config));
  }

  get state(): DiscoveryState {
    return { registered: this.#registrar.state, dialects: this.#finder.state };
  }

  /** Engines register at another process from now on. */
  suspend(): void {
    this.#registrar.suspend();
  }

  /** The other process has ended. Rejects with a ServeError. */
  resume(): Promise<void> {
    return this.#registrar.resume();
  }

  close(): void {
    this.#prober.close();
    this.#finder.close();
    this.#registrar.close();
  }
}
