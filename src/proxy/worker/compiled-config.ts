/**
 * A configuration as one worker serves by it: its pools, servers and routes, and the templates of its pools compiled.
 */

import type { Config, ListenConfig } from "../../config/schema/schema.ts";
import { listenKey } from "../../config/values/listen-key.ts";
import type { LogFields } from "../../observe/error-log.ts";
import { Pool } from "../../pool/pool.ts";
import type { SlotsByIdentity } from "../../pool/slots.ts";
import type { Scoreboard } from "../../scoreboard/scoreboard.ts";
import { createTenantMemory, TenantCounts } from "../../scoreboard/tenant-counts.ts";
import { createZoneMemory, ZoneCounts } from "../../scoreboard/zone-counts.ts";
import type { Clock } from "../../transport/clock.ts";
import { offersHttp2 } from "../../transport/platform.ts";
import { type GateDeps, TenantGate } from "../admission/tenants/gate.ts";
import { limitZones } from "../routing/access/limit-zones.ts";
import { AccessLog, combined, type LineSink } from "../routing/access-log.ts";
import { JsonLog } from "../routing/json-log.ts";
import { compileMap } from "../routing/maps/map.ts";
import type { RouteDeps } from "../routing/route.ts";
import { Server } from "../routing/server.ts";
import { VariableScope } from "../routing/template.ts";
import { VirtualServers } from "../routing/virtual-servers.ts";
import { Tokenizers } from "../upstream/connection/tokenizers.ts";
import { PoolKeys } from "./pool-keys.ts";
import { Recorder } from "./recorder.ts";

export interface CompileDeps {
  readonly clock: Clock;
  readonly board: Scoreboard;
  /** Load as second policies see it, which follow those that decide. */
  readonly shadowBoard?: Scoreboard;
  random(): number;
  /** Where lines of an access log go. */
  openLog(file: string): LineSink;
  /** What tenants use, over all workers; undefined = this worker is the only one. */
  readonly tenants?: TenantCounts;
  /** What clients use of limits of routes, likewise. */
  readonly zones?: ZoneCounts;
  /** Where keys of tokens come from, if they are fetched; undefined = they are not. */
  readonly issuer?: GateDeps["issuer"];
  /** One line for the error log. */
  log(level: "info" | "notice" | "warn" | "error", message: string, fields?: LogFields): void;
}

/** One configuration, compiled. Requests keep the one that they began with. */
export interface CompiledConfig {
  readonly config: Config;
  readonly pools: ReadonlyMap<string, Pool>;
  readonly poolKeys: PoolKeys;
  /** Undefined = nobody is asked for a key. */
  readonly gate: TenantGate | undefined;
  /** Of pools whose prompts are tokenised. */
  readonly tokenizers: ReadonlyMap<Pool, Tokenizers>;
  /** Whether any pool has a queue or tokenises: looking for that costs 3 % of a request. */
  readonly hasAdmissionSteps: boolean;
  readonly recorder: Recorder | undefined;
  /** Servers by the key of their listening address. */
  readonly servers: ReadonlyMap<string, VirtualServers>;
}

/** The servers of each address that the configuration listens on. */
function serversOf(config: Config, deps: RouteDeps): Map<string, VirtualServers> {
  const byAddress = new Map<string, { server: Server; listen: ListenConfig }[]>();
  for (const serverConfig of config.servers) {
    const server = new Server(serverConfig, deps);
    for (const listen of serverConfig.listen) {
      const key = listenKey(listen);
      const list = byAddress.get(key) ?? [];
      list.push({ server, listen });
      byAddress.set(key, list);
    }
  }
  const servers = new Map<string, VirtualServers>();
  for (const [key, list] of byAddress) {
    const chosen = list.find(({ listen }) => listen.defaultServer) ?? list[0]!;
    servers.set(
      key,
      new VirtualServers(
        list.map(({ server }) => server),
        chosen.server,
        offersHttp2 && list.some(({ listen }) => listen.http2),
      ),
    );
  }
  return servers;
}

function dropsKeys(auth: Config["auth"]): boolean {
  return auth !== undefined && !auth.forwardKeys && (auth.keyFile ?? auth.jwt) !== undefined;
}

function ownZones(): ZoneCounts {
  return new ZoneCounts(createZoneMemory(1), 1, 0);
}

function ownCounts(): TenantCounts {
  return new TenantCounts(createTenantMemory(1), 1, 0);
}

export function compileConfig(
  config: Config,
  slots: SlotsByIdentity,
  { board, shadowBoard, clock, random, openLog, log, tenants, zones, issuer }: CompileDeps,
): CompiledConfig {
  const scope = new VariableScope();
  for (const map of config.maps) compileMap(map, scope);
  const shadows = shadowBoard && {
    board: shadowBoard,
    random,
    failed: (message: string) => log("error", message),
  };
  const pools = new Map<string, Pool>();
  const poolKeys = new PoolKeys(scope);
  const tokenizers = new Map<Pool, Tokenizers>();
  for (const [name, poolConfig] of Object.entries(config.pools)) {
    const pool = new Pool(name, poolConfig, {
      board,
      slots,
      random,
      ...(shadows && { shadows }),
      policyFailed: (message) => log("error", message),
    });
    pools.set(name, pool);
    poolKeys.add(pool);
    if (poolConfig.tokenize) tokenizers.set(pool, new Tokenizers(pool));
  }
  const deps: RouteDeps = {
    scope,
    clock,
    random,
    pools,
    zones: limitZones(config, () => zones ?? ownZones(), log),
    traces: config.tracing !== undefined,
    dropsKeys: dropsKeys(config.auth),
    contentTypes: config.contentTypes,
    accessLog: (file, format, masks) => {
      const own = config.logFormats[format];
      if (format === "json" && own === undefined) return new JsonLog(openLog(file));
      const logFormat = own ?? combined;
      return new AccessLog(logFormat, scope, openLog(file), masks);
    },
  };
  const { record } = config;
  const recorder = record && new Recorder(record, openLog(record.file), clock);
  const servers = serversOf(config, deps);
  const hasAdmissionSteps =
    tokenizers.size > 0 || [...pools.values()].some((pool) => pool.hasQueue);
  return {
    config,
    pools,
    poolKeys,
    gate:
      config.auth &&
      new TenantGate(config.auth, config.tenants, {
        counts: tenants ?? ownCounts(),
        clock,
        issuer,
      }),
    tokenizers,
    hasAdmissionSteps,
    recorder,
    servers,
  };
}
