/** Detects which dialect the engines of `auto` routes speak: asks them again and again until it is known. */
import { legRoutes, withDialects } from "../../config/model-routes.ts";
import type { Config, RouteConfig, ServerConfig } from "../../config/schema/schema.ts";
import { roleAdvice } from "../../dialects/advice/advice.ts";
import { type EngineFacts, readFacts } from "../../dialects/advice/facts.ts";
import { type Detection, detect, detectionQuestions } from "../../dialects/detect.ts";
import type { LegName } from "../../dialects/dialect.ts";
import { type DialectName, dialectOf } from "../../dialects/registry.ts";
import { type ConfiguredEngine, enginesOf } from "../../pool/engines.ts";
import { detectionTimeoutMs, probeIntervalMs, probesAtOnceMax, probeTimeoutMs } from "../limits.ts";
import { addressToAsk } from "../polling/address-to-ask.ts";
import { type AskEngine, eachOf } from "../polling/ask-engine.ts";
import { oneModelPools, type RoutePools, routePools } from "./route-pools.ts";

export interface DialectFinderDeps {
  readonly log: (level: "notice" | "warn" | "error", message: string) => void;
  /** Called when another dialect was detected: `resolve` returns another configuration now. */
  readonly changed: () => void;
  readonly ask: AskEngine;
}

/** The key of a route's pools, their dialect, and the engines that they had. */
export type FoundDialect = readonly [
  key: string,
  found: { readonly dialect: DialectName; readonly engines: readonly string[] },
];

/** What was detected at one engine. `name` is its address. */
interface EngineDetection {
  readonly name: string;
  readonly detection: Detection;
  /** What an operator should change at it. */
  readonly leg: LegName;
  readonly facts: EngineFacts;
}

export class DialectFinder {
  readonly #deps: DialectFinderDeps;
  readonly #ask: AskEngine;
  /** By key of a route's pools. */
  readonly #found: Map<string, FoundDialect[1]>;
  /** The pools of all `auto` routes, by key. */
  #wanted = new Map<string, RoutePools>();
  #config: Config | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** The last problem logged for each key. */
  readonly #loggedProblems = new Map<string, string>();
  #closed = false;
  #running = false;

  /** @param found what the process before had found */
  constructor(deps: DialectFinderDeps, found: readonly FoundDialect[] = []) {
    this.#deps = deps;
    this.#ask = deps.ask;
    this.#found = new Map(found);
  }

  /** For the process that takes over. */
  get state(): FoundDialect[] {
    return [...this.#found];
  }

  /**
   * Detects the dialects of this configuration from now on. Keeps what was found for pools that have an engine of those
   * that they had, or none at all: engines come and go.
   */
  use(config: Config): void {
    this.#config = config;
    this.#wanted = new Map();
    for (const { key, pools, engines } of autoRoutes(config)) {
      this.#wanted.set(key, pools);
      const found = this.#found.get(key);
      if (found === undefined || engines.length === 0) continue;
      if (engines.some((name) => found.engines.includes(name))) {
        this.#found.set(key, { ...found, engines });
      } else this.#found.delete(key);
    }
    for (const known of [this.#found, this.#loggedProblems]) {
      for (const key of known.keys()) if (!this.#wanted.has(key)) known.delete(key);
    }
    if (!this.#running) this.#schedule(0);
  }

  /** The configuration with the dialects found so far; the other routes stay `auto`. */
  resolve(config: Config): Config {
    const found = new Map(
      autoRoutes(config).flatMap(({ key, engines }) => {
        const known = this.#found.get(key);
        const isKept =
          engines.length === 0 || engines.some((name) => known?.engines.includes(name));
        return known === undefined || !isKept ? [] : [[key, known.dialect] as const];
      }),
    );
    if (found.size === 0) return config;
    const servers = config.servers.map((server) => {
      const dialectFor = (route: RouteConfig) =>
        found.get(autoKey(config, server, route) ?? "") ?? route.dialect;
      return { ...server, routes: server.routes.map((route) => withDialects(route, dialectFor)) };
    });
    return { ...config, servers };
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #schedule(delayMs: number): void {
    clearTimeout(this.#timer);
    if (this.#closed || this.#missing().length === 0) return;
    this.#timer = setTimeout(() => {
      void this.round().then(() => this.#schedule(probeIntervalMs));
    }, delayMs);
  }

  #missing(): [string, RoutePools][] {
    return [...this.#wanted].filter(([key]) => !this.#found.has(key));
  }

  /** Asks the engines of all routes whose dialect is not known yet. */
  async round(): Promise<void> {
    this.#running = true;
    const config = this.#config!;
    let hasMore = false;
    for (const [key, pools] of this.#missing()) {
      const dialect = await this.#find(config, key, pools);
      if (this.#closed) return;
      // A reload may have changed the configuration meanwhile.
      if (dialect === undefined || config !== this.#config) continue;
      this.#found.set(key, { dialect, engines: namesIn(config, pools) });
      hasMore = true;
    }
    this.#running = false;
    if (hasMore) this.#deps.changed();
  }

  async #find(config: Config, key: string, pools: RoutePools): Promise<DialectName | undefined> {
    const prefill = await this.#askPools(config, pools.prefill, "prefill");
    const decode = await this.#askPools(config, pools.decode, "decode");
    // The engines of one leg alone do not show whether those of the other agree.
    if (prefill.length === 0 || decode.length === 0) return undefined;
    const detections = [...prefill, ...decode];
    const certain = detections.filter(({ detection }) => !detection.isAssumed);
    const dialects = new Set(certain.map(({ detection }) => detection.dialect));
    const families = new Set(detections.map(({ detection }) => detection.family));
    if (dialects.size > 1 || families.size > 1) {
      const list = detections.map(
        ({ name, detection: { isAssumed, family, dialect } }) =>
          `${name} ${isAssumed ? family : dialect}`,
      );
      return this.#problem(
        key,
        `the engines of one route speak several dialects: ${list.join(", ")}; set its dialect`,
      );
    }
    const { name: engine, detection } = certain[0] ?? detections[0]!;
    const { dialect, isAssumed, from } = detection;
    const where = `pools ${[...pools.prefill, ...pools.decode].join(", ")}`;
    if (isAssumed) {
      const why = `${from} of ${engine} does not show the KV connector`;
      const what = `"${dialect}" is assumed, because ${why}; set the dialect if it is another`;
      this.#deps.log("warn", `dialect of ${where}: ${what}`);
    } else {
      this.#deps.log(
        "notice",
        `dialect of ${where}: "${dialect}", detected by ${from} of ${engine}`,
      );
    }
    this.#advise(detections);
    return dialect;
  }

  /** One line for each thing to change, with all engines that it concerns. */
  #advise(detections: readonly EngineDetection[]): void {
    for (const { code, level, finds, remedy, reason } of roleAdvice) {
      const found = detections.flatMap(({ name, leg, facts }) => {
        const what = finds({ facts, role: leg });
        return what === undefined ? [] : [{ name, what }];
      });
      if (found.length === 0) continue;
      const names = found.map(({ name }) => name).join(", ");
      const message = `engine ${names}: ${found[0]!.what}; ${reason}: ${remedy} (${code})`;
      this.#deps.log(level === "fail" ? "error" : "warn", message);
    }
  }

  /** Logs a problem once, not with every round. */
  #problem(key: string, message: string): undefined {
    if (message !== this.#loggedProblems.get(key)) this.#deps.log("error", message);
    this.#loggedProblems.set(key, message);
  }

  async #askPools(
    config: Config,
    names: readonly string[],
    leg: LegName,
  ): Promise<EngineDetection[]> {
    const engines = names.flatMap((name) => enginesOf(config.pools[name]!));
    // All ranks at one address are one server.
    const byAddress = new Map(engines.map((engine) => [engine.address.key, engine]));
    const detections: EngineDetection[] = [];
    await eachOf(byAddress, probesAtOnceMax, async ([name, engine]) => {
      const responses = await this.#askOne(engine);
      const detection = detect(responses);
      if (detection === undefined) return;
      detections.push({ name, leg, detection, facts: readFacts(responses) });
    });
    return detections.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Empty = no server is there. */
  async #askOne(engine: ConfiguredEngine): Promise<ReadonlyMap<string, string>> {
    const responses = new Map<string, string>();
    for (const { path, port } of detectionQuestions) {
      // An engine that has responded is there: it is only slow.
      const timeoutMs = responses.size === 0 ? probeTimeoutMs : detectionTimeoutMs;
      const response = await this.#ask(addressToAsk(engine, port, {}), path, { timeoutMs });
      if (typeof response === "string") {
        // No server is there, so other paths would fail as well. Another port is another server.
        if (port === undefined) return new Map();
      } else if (response.status === 200) responses.set(path, response.body.toString("latin1"));
    }
    return responses;
  }
}

function autoRoutes(config: Config) {
  return config.servers.flatMap((server) =>
    server.routes.flatMap(legRoutes).flatMap((route) => {
      const key = autoKey(config, server, route);
      if (key === undefined) return [];
      const pools = oneModelPools(config, server, route);
      return [{ pools, key, engines: namesIn(config, pools) }];
    }),
  );
}

/** Undefined = it has no prefill, or the configuration names its dialect. */
function autoKey(config: Config, server: ServerConfig, route: RouteConfig): string | undefined {
  const pools = routePools(config, server, route);
  if (pools === undefined || dialectOf(route.dialect) !== undefined) return undefined;
  return `${pools.prefill} ${pools.decode}`;
}

function namesIn(config: Config, { prefill, decode }: RoutePools): string[] {
  return [...prefill, ...decode].flatMap((name) =>
    enginesOf(config.pools[name]!).map((engine) => `${name} ${engine.name}`),
  );
}
