/** Finds out which dialect the engines of `auto` routes speak, by asking them, until it is found. */
import type { Config, RouteConfig } from "../../config/schema/schema.ts";
import { type Detection, detect, detectionPaths, usualDialects } from "../../dialects/detect.ts";
import { dialectOf } from "../../dialects/registry.ts";
import { probeIntervalMs, probesAtOnceMax } from "../../limits.ts";
import { type Address, addressOf } from "../../pool/address.ts";
import { type ConfiguredEngine, enginesOf } from "../../pool/engines.ts";
import { askEngine, type EngineResponse, eachOf, type NoResponse } from "../polling/ask-engine.ts";
import { type RoutePools, routePools } from "./route-pools.ts";

export interface DialectFinderDeps {
  readonly log: (level: "notice" | "warn" | "error", message: string) => void;
  /** Called when more is found than before: `resolve` makes another configuration now. */
  readonly found: () => void;
  /** For tests. */
  readonly ask?: (address: Address, path: string) => Promise<EngineResponse | NoResponse>;
}

type DialectName = RouteConfig["dialect"];

/** What an engine has told, with the name by which it is told of. */
interface Told {
  readonly name: string;
  readonly detection: Detection;
}

export class DialectFinder {
  readonly #deps: DialectFinderDeps;
  readonly #ask: NonNullable<DialectFinderDeps["ask"]>;
  /** By the pools of a route. */
  readonly #found = new Map<string, DialectName>();
  #wanted = new Map<string, RoutePools>();
  #config: Config | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** The last problem told of each route, by its pools. */
  readonly #problems = new Map<string, string>();
  #closed = false;
  #running = false;

  constructor(deps: DialectFinderDeps) {
    this.#deps = deps;
    this.#ask = deps.ask ?? askEngine;
  }

  /** Looks for the dialects of this configuration from now on. What was found for pools of these engines is kept. */
  use(config: Config): void {
    this.#config = config;
    this.#wanted = new Map();
    for (const { key, pools } of autoRoutes(config)) this.#wanted.set(key, pools);
    for (const known of [this.#found, this.#problems]) {
      for (const key of known.keys()) if (!this.#wanted.has(key)) known.delete(key);
    }
    if (!this.#running) this.#schedule(0);
  }

  /** The configuration with what was found; the rest stays `auto`. */
  resolve(config: Config): Config {
    const found = new Map(
      autoRoutes(config).flatMap(({ route, key }) => {
        const dialect = this.#found.get(key);
        return dialect === undefined ? [] : [[route, dialect] as const];
      }),
    );
    if (found.size === 0) return config;
    const servers = config.servers.map((server) => ({
      ...server,
      routes: server.routes.map((route) => ({
        ...route,
        dialect: found.get(route) ?? route.dialect,
      })),
    }));
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

  /** Asks the engines of all routes whose dialect is not known. */
  async round(): Promise<void> {
    this.#running = true;
    const config = this.#config!;
    let more = false;
    for (const [key, pools] of this.#missing()) {
      const dialect = await this.#find(config, key, pools);
      if (this.#closed) return;
      // A reload may have come in between.
      if (dialect === undefined || config !== this.#config) continue;
      this.#found.set(key, dialect);
      more = true;
    }
    this.#running = false;
    if (more) this.#deps.found();
  }

  async #find(config: Config, key: string, pools: RoutePools): Promise<DialectName | undefined> {
    const prefill = await this.#askPools(config, pools.prefill);
    const decode = await this.#askPools(config, pools.decode);
    // One side alone does not tell whether the other agrees.
    if (prefill.length === 0 || decode.length === 0) return undefined;
    const reported = [...prefill, ...decode];
    const dialects = new Set(reported.flatMap(({ detection }) => detection.dialect ?? []));
    const families = new Set(reported.map(({ detection }) => detection.family));
    if (dialects.size > 1 || families.size > 1) {
      const list = reported.map(
        ({ name, detection }) => `${name} ${detection.dialect ?? detection.family}`,
      );
      return this.#problem(key, `engines of one route speak several dialects: ${list.join(", ")}`);
    }
    const [family] = families;
    const [said] = dialects;
    const name = said ?? usualDialects[family!]!;
    if (dialectOf(name as DialectName) === undefined) {
      return this.#problem(key, `the engines speak "${name}", which is not known here`);
    }
    const { name: engine, detection } = reported.find((one) => one.detection.dialect === said)!;
    const where = `pools ${[...pools.prefill, ...pools.decode].join(", ")}`;
    if (said === undefined) {
      this.#deps.log(
        "warn",
        `dialect of ${where}: "${name}" is assumed, since ${detection.from} of ${engine} does not tell how it hands over`,
      );
    } else {
      this.#deps.log("notice", `dialect of ${where}: "${name}", by ${detection.from} of ${engine}`);
    }
    return name as DialectName;
  }

  /** Says a problem once, not each second. */
  #problem(key: string, message: string): undefined {
    if (message !== this.#problems.get(key)) this.#deps.log("error", message);
    this.#problems.set(key, message);
  }

  async #askPools(config: Config, names: readonly string[]): Promise<Told[]> {
    const engines = names.flatMap((name) => enginesOf(config.pools[name]!));
    // Ranks of one address are one engine that answers.
    const byAddress = new Map(engines.map((engine) => [engine.address.key, engine]));
    const reported: Told[] = [];
    await eachOf(byAddress, probesAtOnceMax, async ([name, engine]) => {
      const detection = await this.#askOne(engine);
      if (detection !== undefined) reported.push({ name, detection });
    });
    return reported.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  async #askOne(engine: ConfiguredEngine): Promise<Detection | undefined> {
    const { address, attributes } = engine;
    const answers = new Map<string, string>();
    for (const path of detectionPaths) {
      const host = attributes["bootstrap_host"] ?? address.host;
      const port = Number(attributes["bootstrap_port"] ?? 8998);
      const isQuery = path === "/query" && host !== undefined && port > 0 && port <= 65_535;
      const response = await this.#ask(isQuery ? addressOf({ host, port }) : address, path);
      if (typeof response === "string") {
        // Nobody is there: the other paths would say the same. A bootstrap server is another matter.
        if (!isQuery) return undefined;
      } else if (response.status === 200) answers.set(path, response.body.toString("latin1"));
    }
    return detect(answers);
  }
}

function autoRoutes(config: Config) {
  return config.servers.flatMap((server) =>
    server.routes.flatMap((route) => {
      const pools = routePools(config, server, route);
      // What the registry knows need not be found out.
      if (pools === undefined || dialectOf(route.dialect) !== undefined) return [];
      const engines = [...pools.prefill, ...pools.decode].map(
        (name) => `${name} ${enginesOf(config.pools[name]!).map((engine) => engine.name)}`,
      );
      return [{ route, pools, key: engines.join("; ") }];
    }),
  );
}
