/** Fleets of simulated engines of one dialect behind a real proxy: what a dialect's table entry says, and its start. */
import type { EngineRole } from "../../src/simulated-engine/roles.ts";
import type { RunningCommand } from "./command.ts";
import { freePorts } from "./ports.ts";
import type { Engine, Stack } from "./stack.ts";
import { scaled, slowness } from "./times.ts";

/** What an engine's switches and attributes may depend on. All ports are known before anything is started. */
export interface EnginePlace {
  readonly role: EngineRole;
  /** Among those of its role. */
  readonly index: number;
  readonly port: number;
  /** Where other engines reach it: its `--kv-port`. */
  readonly sidePort: number;
  readonly proxyPort: number;
  /** Of the proxy, for engines to register. */
  readonly registrationPort: number;
}

export interface FleetRequest {
  readonly path: string;
  /**
   * With `stream`, where it is to be one. `%n` in a text becomes a number of the request's own, so that no two are the
   * same.
   */
  readonly body: Readonly<Record<string, unknown>>;
}

export interface FleetPools {
  readonly port: number;
  readonly registrationPort: number;
  /** As the YAML of a list of engines, by role. */
  readonly engines: Readonly<Partial<Record<EngineRole, string>>>;
}

/** One dialect's entry. Only what differs from the usual is said. */
export interface Fleet {
  /** Name for the test; the `dialect:` of the route, and of the engines unless `engineDialect` says more. */
  readonly name: string;
  readonly dialect: string;
  /** `--dialect` of the engines, as in `vllm-nixl:generation=older`. */
  readonly engineDialect?: string;
  /** Default: two prefill and two decode engines. */
  readonly engines?: Readonly<Partial<Record<EngineRole, number>>>;
  /** Further switches of an engine; those said later win. */
  readonly switches?: (place: EnginePlace) => readonly string[];
  /** `attributes` of an engine in the proxy's YAML. */
  readonly attributes?: (place: EnginePlace) => Readonly<Record<string, string>>;
  /** Further keys of the route, each with a comma before it. */
  readonly route?: string;
  /** In place of the usual configuration. */
  readonly yaml?: (pools: FleetPools) => string;
  /** Default: completions and chats of several lengths, most of them streamed. */
  readonly requests?: readonly FleetRequest[];
  /** What of a body must equal the response of an engine that prefills and decodes. Default: everything but the ids. */
  readonly comparable?: (body: string) => string;
  /**
   * Phases in which clients' aborts must have struck. Default: prefill, decode before its first token, decode after it.
   */
  readonly abortPhases?: readonly AbortPhase[];
  /** The share of right responses whose KV came from another engine, at least. Default: 1, all of them. */
  readonly handsOver?: number;
  /**
   * Reasons for which decode may compute a prompt itself when clients have aborted; say why beside it. Default: none.
   */
  readonly recomputedAfterAborts?: readonly string[];
  /** As above, when engines were killed: KV that died with its engine has to come from somewhere. Default: none. */
  readonly recomputedAfterKills?: readonly string[];
  /**
   * What becomes of a request whose engine is killed before its response begins: `retried` = another engine answers,
   * and the client sees no error; `error` = an error that the client can tell from a response.
   */
  readonly killed: "retried" | "error";
}

export type AbortPhase = "encode" | "prefill" | "before-first-token" | "mid-decode";

/** A fleet that runs. */
export interface RunningFleet {
  readonly url: string;
  readonly proxy: RunningCommand;
  readonly byRole: ReadonlyMap<EngineRole, readonly Engine[]>;
  readonly engines: readonly Engine[];
}

/** Fast, and slow enough for clients to leave in each phase. */
const usualSwitches: readonly string[] = [
  "--prefill-tokens-per-second",
  `${Math.round(60_000 / slowness)}`,
  "--itl-ms",
  `${scaled(8)}`,
  "--batch-penalty-ms",
  "0",
  "--kv-transfer-ms",
  `${scaled(100)}`,
];

const usualEngines: Readonly<Partial<Record<EngineRole, number>>> = { prefill: 2, decode: 2 };

export async function startFleet(stack: Stack, fleet: Fleet): Promise<RunningFleet> {
  const roles = Object.entries(fleet.engines ?? usualEngines) as [EngineRole, number][];
  const count = roles.reduce((sum, [, each]) => sum + each, 0);
  const [proxyPort, registrationPort, ...ports] = (await freePorts(2 + 2 * count)) as [
    number,
    number,
    ...number[],
  ];
  const places = roles.flatMap(([role, each]) =>
    Array.from({ length: each }, (_, index): EnginePlace => {
      const [port, sidePort] = [ports.pop()!, ports.pop()!];
      return { role, index, port, sidePort, proxyPort, registrationPort };
    }),
  );
  // Engines may register with the proxy, and the proxy look for engines: whoever starts first has to wait for the
  // other.
  const proxy = stack.start("-c", stack.write("fleet.yaml", yamlOf(fleet, places)));
  const started = places.map((place) =>
    stack.startEngine(place.role, place.port, [
      "--dialect",
      fleet.engineDialect ?? fleet.dialect,
      "--kv-port",
      `${place.sidePort}`,
      ...usualSwitches,
      ...(fleet.switches?.(place) ?? []),
    ]),
  );
  const [engines] = await Promise.all([Promise.all(started), proxy.saysError(/listening on/)]);
  const byRole = new Map<EngineRole, Engine[]>();
  places.forEach(({ role }, i) => {
    byRole.set(role, [...(byRole.get(role) ?? []), engines[i]!]);
  });
  return { url: `http://127.0.0.1:${proxyPort}`, proxy, byRole, engines };
}

function yamlOf(fleet: Fleet, places: readonly EnginePlace[]): string {
  const { proxyPort: port, registrationPort } = places[0]!;
  const engines: Partial<Record<EngineRole, string>> = {};
  for (const place of places) {
    const attributes = JSON.stringify(fleet.attributes?.(place) ?? {});
    const url = `http://127.0.0.1:${place.port}`;
    const line = `{ url: "${url}", failTimeoutMs: 300, attributes: ${attributes} }`;
    const before = engines[place.role];
    engines[place.role] = before === undefined ? line : `${before}, ${line}`;
  }
  if (fleet.yaml !== undefined) return fleet.yaml({ port, registrationPort, engines });
  const { encode, prefill, decode, mixed } = engines;
  const legs = Object.entries({ encode, prefill }).filter(([, list]) => list !== undefined);
  const before = legs.map(([leg]) => `${leg}: { pool: ${leg} }, `).join("");
  return `
pools:
${encode === undefined ? "" : `  encode: { policy: { name: least_conn }, engines: [${encode}] }`}
${prefill === undefined ? "" : `  prefill: { policy: { name: length_balance }, engines: [${prefill}] }`}
  decode: { policy: { name: least_conn }, engines: [${decode ?? mixed}] }
servers:
  - listen: [{ host: 127.0.0.1, port: ${port} }]
    routes:
      - { match: { path: / }, ${before}target: { pool: decode }, dialect: ${fleet.dialect}${fleet.route ?? ""} }
`;
}
