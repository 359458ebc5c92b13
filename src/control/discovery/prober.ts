/** Polls engines for the attributes that their dialects need, and reports changes. */
import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { legRoutes } from "../../config/model-routes.ts";
import type { Config, RouteConfig } from "../../config/schema/schema.ts";
import type { EngineInfo, EngineProbe } from "../../dialects/dialect.ts";
import { dialectOf } from "../../dialects/registry.ts";
import type {
  DiscoveredAttributes,
  DiscoveredByIdentity,
} from "../../pool/discovered-attributes.ts";
import { type ConfiguredEngine, enginesOf } from "../../pool/engines.ts";
import { engineIdentity } from "../../pool/slots.ts";
import {
  optionalProbeRounds,
  probeFailuresMax,
  probeIntervalMs,
  probeResponseBytesMax,
  probesAtOnceMax,
  probeTimeoutMs,
} from "../limits.ts";
import { addressToAsk } from "../polling/address-to-ask.ts";
import {
  type AskEngine,
  type EngineResponse,
  eachOf,
  type NoResponse,
} from "../polling/ask-engine.ts";
import { modelsProbe } from "./models-probe.ts";
import { oneModelPools } from "./route-pools.ts";

/** The state of one probe of one engine. */
interface Finding {
  readonly identity: string;
  readonly engine: ConfiguredEngine;
  readonly probe: EngineProbe;
  /** The last response was 503. */
  isNotReady: boolean;
  failures: number;
  /** Its last response was too large, which has been said. */
  isTooLarge: boolean;
  /** It is not asked in so many rounds. */
  roundsLeft: number;
  attributes: Readonly<Record<string, string>>;
}

export interface ProberDeps {
  readonly log: (level: "notice" | "warn", message: string) => void;
  /** Called with everything that is known, whenever that has changed. */
  readonly changed: (discovered: DiscoveredByIdentity) => void;
  /** For tests: the probes of a route. Otherwise those of its dialect. */
  readonly probesOf?: (route: RouteConfig) => readonly EngineProbe[];
  readonly ask: AskEngine;
}

export class Prober {
  discovered: DiscoveredByIdentity = {};
  readonly #deps: ProberDeps;
  readonly #ask: AskEngine;
  #findings = new Map<string, Finding>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #rounds: Promise<void> = Promise.resolve();

  constructor(deps: ProberDeps) {
    this.#deps = deps;
    this.#ask = deps.ask;
  }

  /**
   * Polls the engines of this configuration from now on. Keeps what is known of engines that stay. Resolves when all
   * new engines have been asked once, or after the time-out of one probe: a request to an engine whose attributes are
   * unknown may wait there for ever.
   */
  async use(config: Config): Promise<void> {
    const before = this.#findings;
    this.#findings = new Map();
    let hasNew = false;
    for (const finding of findingsOf(config, this.#deps.probesOf ?? probesOf)) {
      const { identity, engine, probe } = finding;
      const key = `${identity} ${engine.config.url} ${probe.path} ${probe.name ?? ""}`;
      hasNew ||= !before.has(key);
      this.#findings.set(key, before.get(key) ?? finding);
    }
    this.#report();
    if (!hasNew) return;
    clearTimeout(this.#timer);
    await Promise.race([this.#askNow(), delay(probeTimeoutMs, undefined, { ref: false })]);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** Asks all of them once. */
  async round(): Promise<void> {
    // All ranks of one engine share a server: it is asked once.
    const responses = new Map<string, Promise<EngineResponse | NoResponse>>();
    await eachOf(this.#findings.values(), probesAtOnceMax, async (finding) => {
      if (this.#closed) return;
      const { engine, probe, identity } = finding;
      if (finding.roundsLeft > 0) {
        finding.roundsLeft -= 1;
        return;
      }
      const found = this.discovered[identity]?.attributes ?? {};
      const address = addressToAsk(engine, probe.port, found);
      const key = `${address.key} ${probe.path}`;
      const response = responses.get(key) ?? this.#ask(address, probe.path);
      responses.set(key, response);
      this.#take(finding, await response);
    });
    if (!this.#closed) this.#report();
  }

  /** Runs one more round after those that are running or waiting. */
  #askNow(): Promise<void> {
    this.#rounds = this.#rounds.then(async () => {
      if (this.#closed || this.#findings.size === 0) return;
      await this.round();
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => void this.#askNow(), probeIntervalMs);
    });
    return this.#rounds;
  }

  #take(finding: Finding, response: EngineResponse | NoResponse): void {
    const { identity, probe, attributes, isTooLarge } = finding;
    take(finding, response);
    const say = (what: string) =>
      this.#deps.log("warn", `engine ${identity} responds to ${probe.path}: ${what}`);
    if (finding.isTooLarge && !isTooLarge) {
      say(`it has more than ${probeResponseBytesMax} bytes, and is not used`);
    }
    if (typeof response === "string" || probe.ignored === undefined) return;
    if (isDeepStrictEqual(attributes, finding.attributes)) return;
    const ignored = probe.ignored(response.body);
    if (ignored !== undefined) say(ignored);
  }

  #report(): void {
    const discovered = discoveredOf([...this.#findings.values()]);
    if (JSON.stringify(discovered) === JSON.stringify(this.discovered)) return;
    for (const [identity, { isReady }] of Object.entries(discovered)) {
      if ((this.discovered[identity]?.isReady ?? true) === isReady) continue;
      this.#deps.log(
        "notice",
        `engine ${identity} ${isReady ? "is ready" : "is not ready yet: it gets no requests"}`,
      );
    }
    this.discovered = discovered;
    this.#deps.changed(discovered);
  }
}

/** Only where requests are treated by their endpoint does anything read what engines of a family are asked. */
function probesOf({ dialect, byEndpoint }: RouteConfig): readonly EngineProbe[] {
  const { probes = [], family } = dialectOf(dialect) ?? {};
  return byEndpoint ? [...probes, ...(family?.probes ?? [])] : probes;
}

function findingsOf(config: Config, probesOfRoute: NonNullable<ProberDeps["probesOf"]>): Finding[] {
  const probes = new Map<string, Set<EngineProbe>>();
  for (const server of config.servers) {
    for (const route of server.routes) {
      const ofModels = route.models === undefined ? [] : [modelsProbe];
      for (const one of legRoutes(route)) {
        const pools = oneModelPools(config, server, one);
        const ofDialect = one.prefill === undefined ? [] : probesOfRoute(one);
        for (const probe of [...ofDialect, ...ofModels]) {
          for (const pool of probe.legs.flatMap((leg) => pools[leg])) {
            probes.set(pool, (probes.get(pool) ?? new Set()).add(probe));
          }
        }
      }
    }
  }
  return [...probes].flatMap(([pool, ofPool]) =>
    enginesOf(config.pools[pool]!).flatMap((engine) =>
      [...ofPool].map((probe) => ({
        identity: engineIdentity(pool, engine.name),
        engine,
        probe,
        isNotReady: false,
        failures: 0,
        isTooLarge: false,
        roundsLeft: 0,
        attributes: {},
      })),
    ),
  );
}

function take(finding: Finding, response: EngineResponse | NoResponse): void {
  finding.isTooLarge = response === "too-large";
  if (typeof response === "string") {
    finding.failures += 1;
    // The server has ended. The next one has other attributes: a Mooncake engine gets a new id with each start.
    const isGone = response === "refused" || finding.failures >= probeFailuresMax;
    if (isGone && !finding.probe.outlivesEngine) finding.attributes = {};
    return;
  }
  const { probe } = finding;
  finding.failures = 0;
  finding.isNotReady = response.status === 503 && !probe.isOptional;
  const info = infoOf(finding.engine);
  if (response.status === 200) finding.attributes = probe.discovered(response.body, info);
  else if (!probe.outlivesEngine) finding.attributes = {};
  if (probe.isOptional) finding.roundsLeft = optionalProbeRounds - 1;
}

function infoOf({ address, dpRank, attributes }: ConfiguredEngine): EngineInfo {
  return { host: address.host ?? "", port: address.port ?? 0, dpRank, attributes };
}

function discoveredOf(findings: readonly Finding[]): DiscoveredByIdentity {
  const discovered: Record<string, DiscoveredAttributes> = {};
  const needs = new Map<string, { readonly engine: ConfiguredEngine; readonly names: string[] }>();
  for (const { identity, engine, probe, isNotReady, attributes } of findings) {
    const before = discovered[identity];
    discovered[identity] = {
      isReady: (before?.isReady ?? true) && !isNotReady,
      attributes: { ...before?.attributes, ...attributes },
    };
    const names = [...(needs.get(identity)?.names ?? []), ...(probe.needs ?? [])];
    needs.set(identity, { engine, names });
  }
  for (const [identity, { engine, names }] of needs) {
    const known = { ...discovered[identity]!.attributes, ...engine.attributes };
    if (names.every((name) => Object.hasOwn(known, name))) continue;
    discovered[identity] = { ...discovered[identity]!, isReady: false };
  }
  return discovered;
}
