/** All sources of a configuration: opens and closes them, and says which engines each pool has by them. */
import type { Config, PoolConfig } from "../../../config/schema/schema.ts";
import { poolEnginesMax } from "../../../limits.ts";
import { discoveryDelayMs } from "../../limits.ts";
import { AdminEngines, adminSourceKey } from "./admin-engines.ts";
import { Complaints } from "./complaints.ts";
import { type MergedPool, mergeSources } from "./merge.ts";
import { type WantedSource, wantedSources } from "./registry.ts";
import type { EngineSource, SourceDeps, SourceState } from "./source.ts";

/** The name of what the configuration itself lists. */
const staticSource = "configuration";

export class Sources {
  readonly admin: AdminEngines;
  readonly #deps: SourceDeps;
  readonly #complaints: Complaints;
  /** By key. */
  readonly #open = new Map<string, EngineSource>();
  /** What the process before was told; what the first configuration has no use for is left. */
  readonly #inherited: Map<string, SourceState>;
  #pendingChange: NodeJS.Timeout | undefined;

  /** @param deps `changed` is called once for changes that come together */
  constructor(deps: SourceDeps, inherited: readonly SourceState[] = []) {
    this.#deps = {
      log: (level, message) => deps.log(level, message),
      nowMs: () => deps.nowMs(),
      changed: () => {
        this.#pendingChange ??= setTimeout(() => {
          this.#pendingChange = undefined;
          deps.changed();
        }, discoveryDelayMs);
      },
    };
    this.#complaints = new Complaints(this.#deps);
    this.#inherited = new Map(inherited.map((one) => [one.key, one]));
    this.admin = new AdminEngines(this.#deps);
    void this.admin.open(this.#inherited.get(adminSourceKey));
  }

  /** Opens those that are new in this configuration. If one cannot be, none is, and a `ServeError` is thrown. */
  async open(config: Config): Promise<void> {
    const opened = wantedSources(config).filter(({ key }) => !this.#open.has(key));
    const results = await Promise.allSettled(opened.map((one) => this.#openOne(one)));
    const failed = results.find(({ status }) => status === "rejected");
    if (failed === undefined) return;
    for (const { key } of opened) this.#close(key);
    throw (failed as PromiseRejectedResult).reason;
  }

  /** Applies a configuration that was opened: closes those that it does not have. */
  use(config: Config): void {
    const wanted = new Map(wantedSources(config).map((one) => [one.key, one]));
    for (const [key, source] of [...this.#open]) {
      const one = wanted.get(key);
      if (one === undefined) this.#close(key);
      else one.use(source);
    }
    this.admin.keep(new Set(Object.keys(config.pools)));
  }

  /** The configuration with the engines that the sources name. */
  resolve(config: Config): Config {
    const pools: Record<string, PoolConfig> = {};
    for (const [name, pool] of Object.entries(config.pools)) {
      const { engines, left } = this.poolOf(config, name);
      pools[name] = { ...pool, engines: [...engines] };
      if (left === 0) continue;
      const what = `${left} engines of pool "${name}" are left out`;
      this.#complaints.say("error", `${what}: a pool has at most ${poolEnginesMax}`);
    }
    return { ...config, pools };
  }

  /** What all sources say of one pool. */
  poolOf(config: Config, pool: string): MergedPool {
    const open = wantedSources(config).flatMap(({ key }) => this.#open.get(key) ?? []);
    const lists = [
      { name: staticSource, engines: config.pools[pool]!.engines },
      ...[...open, this.admin].map((source) => ({
        name: source.name,
        engines: source.enginesOf(pool),
      })),
    ];
    return mergeSources(lists, poolEnginesMax);
  }

  /** For the process that takes over. */
  get state(): SourceState[] {
    const all: [string, EngineSource][] = [...this.#open, [adminSourceKey, this.admin]];
    return all.flatMap(([key, { state }]) => (state === undefined ? [] : [{ key, ...state }]));
  }

  suspend(): void {
    for (const source of this.#open.values()) source.suspend?.();
  }

  async resume(): Promise<void> {
    for (const source of this.#open.values()) await source.resume?.();
  }

  close(): void {
    clearTimeout(this.#pendingChange);
    for (const key of [...this.#open.keys()]) this.#close(key);
  }

  async #openOne({ key, create }: WantedSource): Promise<void> {
    const inherited = this.#inherited.get(key);
    this.#inherited.delete(key);
    const source = create(this.#deps);
    this.#open.set(key, source);
    await source.open(inherited);
  }

  #close(key: string): void {
    this.#open.get(key)?.close();
    this.#open.delete(key);
  }
}
