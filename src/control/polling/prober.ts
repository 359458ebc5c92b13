/** Asks engines for what their dialects must know of them, again and again, and tells what has changed. */
import { setTimeout as delay } from "node:timers/promises";
import type { Config, RouteConfig } from "../../config/schema/schema.ts";
import type { EngineInfo, EngineProbe } from "../../dialects/dialect.ts";
import { dialectOf } from "../../dialects/registry.ts";
import {
  probeFailuresMax,
  probeIntervalMs,
  probesAtOnceMax,
  probeTimeoutMs,
} from "../../limits.ts";
import type { Address } from "../../pool/address.ts";
import { addressOf } from "../../pool/address.ts";
import type {
  DiscoveredAttributes,
  DiscoveredByIdentity,
} from "../../pool/discovered-attributes.ts";
import { type ConfiguredEngine, enginesOf } from "../../pool/engines.ts";
import { engineIdentity } from "../../pool/slots.ts";
import { routePools } from "../discovery/route-pools.ts";
import { askEngine, type EngineResponse, eachOf, type NoResponse } from "./ask-engine.ts";

/** What one probe of one engine has found. */
interface Finding {
  readonly identity: string;
  readonly engine: ConfiguredEngine;
  readonly probe: EngineProbe;
  saysNotYet: boolean;
  failures: number;
  attributes: Readonly<Record<string, string>>;
}

export interface ProberDeps {
  readonly log: (message: string) => void;
  /** Called with all that is known, whenever that has changed. */
  readonly changed: (discovered: DiscoveredByIdentity) => void;
  /** What the engines of a route are asked; its dialect's probes unless a test says others. */
  readonly probesOf?: (route: RouteConfig) => readonly EngineProbe[];
  /** For tests. */
  readonly ask?: (address: Address, path: string) => Promise<EngineResponse | NoResponse>;
}

export class Prober {
  discovered: DiscoveredByIdentity = {};
  readonly #deps: ProberDeps;
  readonly #ask: NonNullable<ProberDeps["ask"]>;
  #findings = new Map<string, Finding>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #rounds: Promise<void> = Promise.resolve();

  constructor(deps: ProberDeps) {
    this.#deps = deps;
    this.#ask = deps.ask ?? askEngine;
  }

  /**
   * Asks the engines of this configuration from now on. What is known of those that stay is kept. Resolves when those that are new
   * have been asked once, or have had the time of one probe for it: a request that goes to an engine of which nothing is known
   * yet may wait there for ever.
   */
  async use(config: Config): Promise<void> {
    const before = this.#findings;
    this.#findings = new Map();
    let hasNew = false;
    for (const finding of findingsOf(config, this.#deps.probesOf ?? probesOf)) {
      const key = `${finding.identity} ${finding.engine.config.url} ${finding.probe.path}`;
      hasNew ||= !before.has(key);
      this.#findings.set(key, before.get(key) ?? finding);
    }
    this.#tell();
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
    // Ranks of one engine have one server to ask.
    const answers = new Map<string, Promise<EngineResponse | NoResponse>>();
    await eachOf(this.#findings.values(), probesAtOnceMax, async (finding) => {
      if (this.#closed) return;
      const { engine, probe, identity } = finding;
      const found = this.discovered[identity]?.attributes ?? {};
      const address = probeAddress(engine, probe, found);
      const key = `${address.key} ${probe.path}`;
      const response = answers.get(key) ?? this.#ask(address, probe.path);
      answers.set(key, response);
      take(finding, await response);
    });
    if (!this.#closed) this.#tell();
  }

  /** One round after the other, however many are asked for. */
  #askNow(): Promise<void> {
    this.#rounds = this.#rounds.then(async () => {
      if (this.#closed || this.#findings.size === 0) return;
      await this.round();
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => void this.#askNow(), probeIntervalMs);
    });
    return this.#rounds;
  }

  #tell(): void {
    const discovered = discoveredOf([...this.#findings.values()]);
    if (JSON.stringify(discovered) === JSON.stringify(this.discovered)) return;
    for (const [identity, { isReady }] of Object.entries(discovered)) {
      if ((this.discovered[identity]?.isReady ?? true) === isReady) continue;
      this.#deps.log(`engine ${identity} ${isReady ? "takes requests" : "is not ready yet"}`);
    }
    this.discovered = discovered;
    this.#deps.changed(discovered);
  }
}

function probesOf({ dialect }: RouteConfig): readonly EngineProbe[] {
  return dialectOf(dialect)?.probes ?? [];
}

function findingsOf(config: Config, asked: NonNullable<ProberDeps["probesOf"]>): Finding[] {
  const probes = new Map<string, Set<EngineProbe>>();
  for (const server of config.servers) {
    for (const route of server.routes) {
      const pools = routePools(config, server, route);
      if (pools === undefined) continue;
      for (const probe of asked(route)) {
        for (const pool of probe.legs.flatMap((leg) => pools[leg])) {
          probes.set(pool, (probes.get(pool) ?? new Set()).add(probe));
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
        saysNotYet: false,
        failures: 0,
        attributes: {},
      })),
    ),
  );
}

function take(finding: Finding, response: EngineResponse | NoResponse): void {
  if (typeof response === "string") {
    finding.failures += 1;
    // Whoever listens there next is another: a Mooncake engine has another id after each start.
    if (response === "refused" || finding.failures >= probeFailuresMax) finding.attributes = {};
    return;
  }
  finding.failures = 0;
  finding.saysNotYet = response.status === 503;
  const info = infoOf(finding.engine);
  finding.attributes = response.status === 200 ? finding.probe.discovered(response.body, info) : {};
}

function infoOf({ address, dpRank, attributes }: ConfiguredEngine): EngineInfo {
  return { host: address.host ?? "", port: address.port ?? 0, dpRank, attributes };
}

/** @param found of the engine before, by any probe */
function probeAddress(
  { address, attributes }: ConfiguredEngine,
  { port }: EngineProbe,
  found: Readonly<Record<string, string>>,
): Address {
  if (port === undefined || address.host === undefined) return address;
  const said = Number(attributes[port.attribute] ?? found[port.attribute]);
  const number = Number.isInteger(said) && said > 0 && said <= 65_535 ? said : port.otherwise;
  return addressOf({ host: attributes["bootstrap_host"] ?? address.host, port: number });
}

function discoveredOf(findings: readonly Finding[]): DiscoveredByIdentity {
  const discovered: Record<string, DiscoveredAttributes> = {};
  const needs = new Map<string, { readonly engine: ConfiguredEngine; readonly names: string[] }>();
  for (const { identity, engine, probe, saysNotYet, attributes } of findings) {
    const before = discovered[identity];
    discovered[identity] = {
      isReady: (before?.isReady ?? true) && !saysNotYet,
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
