/** What is found out about engines while the proxy runs: who they are, their dialects, and their attributes. */
import type { Config, EngineConfig } from "../../config/schema/schema.ts";
import type {
  DiscoveredAttributes,
  DiscoveredByIdentity,
} from "../../pool/discovered-attributes.ts";
import type { EngineAsker } from "../polling/engine-asker.ts";
import { DialectFinder, type FoundDialect } from "./dialect-finder.ts";
import { type Drain, type DrainState, Drains } from "./drains.ts";
import { Prober } from "./prober.ts";
import type { SourceState } from "./sources/source.ts";
import { Sources } from "./sources/sources.ts";

export interface DiscoveryDeps {
  log(level: "notice" | "warn" | "error", message: string): void;
  /** Attributes of engines have changed, or which of them drain. */
  discovered(discovered: DiscoveredByIdentity): void;
  /** Engines or dialects have changed: the configuration is to be applied again. */
  changed(): void;
  readonly asker: Pick<EngineAsker, "ask" | "use">;
  /** Whether an engine has requests in flight, or holds a KV cache for one. */
  isBusy(identity: string): boolean;
  /** A clock that never goes back. */
  nowMs(): number;
  /** Since the epoch. */
  wallMs(): number;
}

/** What was found out, for the process that takes over. */
export interface DiscoveryState {
  readonly sources: readonly SourceState[];
  readonly dialects: readonly FoundDialect[];
  readonly drains: DrainState;
}

const unknown: DiscoveredAttributes = { isReady: true, attributes: {} };

export class Discovery {
  readonly #prober: Prober;
  readonly #finder: DialectFinder;
  readonly #sources: Sources;
  readonly #drains: Drains;
  readonly #asker: DiscoveryDeps["asker"];
  /** In force, as written. */
  #config: Config | undefined;

  /** @param before what the process before had found out */
  constructor(deps: DiscoveryDeps, before?: DiscoveryState) {
    this.#prober = new Prober({
      log: (level, message) => deps.log(level, message),
      changed: () => deps.discovered(this.discovered),
      ask: deps.asker.ask,
    });
    this.#finder = new DialectFinder({ ...deps, ask: deps.asker.ask }, before?.dialects);
    this.#asker = deps.asker;
    this.#sources = new Sources(deps, before?.sources);
    this.#drains = new Drains(
      {
        log: (level, message) => deps.log(level, message),
        drained: () => deps.discovered(this.discovered),
        left: () => deps.changed(),
        isBusy: (identity) => deps.isBusy(identity),
        wallMs: () => deps.wallMs(),
      },
      before?.drains,
    );
  }

  /** By the engines' identities. */
  get discovered(): DiscoveredByIdentity {
    const discovered = { ...this.#prober.discovered };
    for (const [identity, { why }] of this.#drains.all) {
      // Engines that leave drain in the next configuration. In the one before, there may be no other.
      if (why === "removed") continue;
      discovered[identity] = { ...(discovered[identity] ?? unknown), isDraining: true };
    }
    return discovered;
  }

  /** Opens the sources of engines that this configuration has. Rejects with a ServeError. */
  open(config: Config): Promise<void> {
    return this.#sources.open(config);
  }

  /**
   * The configuration with what was discovered since: engines that sources name, and dialects. Resolves when its new
   * engines have been asked for their attributes, so that no request goes to one that is known not to be ready.
   */
  async resolve(written: Config): Promise<Config> {
    const config = this.#finder.resolve(this.#drains.resolve(this.#sources.resolve(written)));
    this.#asker.use(config);
    await this.#prober.use(config);
    return config;
  }

  /** This configuration is in force, as written. */
  use(config: Config): void {
    this.#config = config;
    this.#sources.use(config);
    this.#finder.use(this.#sources.resolve(config));
  }

  /** Another configuration could not be applied: this one stays. */
  restore(config: Config): void {
    this.#sources.use(config);
    void this.resolve(config);
  }

  get state(): DiscoveryState {
    const { state: sources } = this.#sources;
    return { sources, dialects: this.#finder.state, drains: this.#drains.state };
  }

  /** Why engines drain, by identity. */
  get drains(): ReadonlyMap<string, Drain> {
    return this.#drains.all;
  }

  /** Which sources have an engine, by its address. */
  sourcesOf(pool: string): ReadonlyMap<string, readonly string[]> {
    const config = this.#config;
    if (config === undefined || !Object.hasOwn(config.pools, pool)) return new Map();
    return this.#sources.poolOf(config, pool).sources;
  }

  /** As an operator asks for it. @returns false = there is no room for it */
  add(pool: string, engine: EngineConfig): boolean {
    return this.#sources.admin.add(pool, engine);
  }

  /** @param address without a rank. @returns false = it was not added by an operator */
  remove(pool: string, address: string): boolean {
    return this.#sources.admin.remove(pool, address);
  }

  /** @param engine its address, or one rank as `address@RANK`. @returns false = there is no such engine */
  drain(pool: string, engine: string): boolean {
    return this.#drains.drain(pool, engine);
  }

  undrain(pool: string, engine: string): boolean {
    return this.#drains.undrain(pool, engine);
  }

  /** Engines register at another process from now on. */
  suspend(): void {
    this.#sources.suspend();
  }

  /** The other process has ended. Rejects with a ServeError. */
  resume(): Promise<void> {
    return this.#sources.resume();
  }

  close(): void {
    this.#prober.close();
    this.#finder.close();
    this.#sources.close();
    this.#drains.close();
  }
}
