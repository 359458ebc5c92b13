/**
 * A configuration as one worker serves by it: its pools, servers and routes, and the templates of its pools compiled.
 */

import type { Config } from "../../config/schema/schema.ts";
import { listenKey } from "../../config/values/listen-key.ts";
import type { LogFields } from "../../observe/error-log.ts";
import { policyKeyTemplates } from "../../policies/create-policy.ts";
import { Pool } from "../../pool/pool.ts";
import type { SlotsByIdentity } from "../../pool/slots.ts";
import type { Scoreboard } from "../../scoreboard/scoreboard.ts";
import type { Clock } from "../../transport/clock.ts";
import { AccessLog, combined, type LineSink } from "../routing/access-log.ts";
import { JsonLog } from "../routing/json-log.ts";
import { compileMap } from "../routing/map.ts";
import type { Render } from "../routing/render.ts";
import type { RouteDeps } from "../routing/route.ts";
import { Server } from "../routing/server.ts";
import { VariableScope } from "../routing/template.ts";
import { VirtualServers } from "../routing/virtual-servers.ts";
import { Tokenizers } from "../upstream/connection/tokenizers.ts";
import { Recorder } from "./recorder.ts";

export interface CompileDeps {
  readonly clock: Clock;
  readonly board: Scoreboard;
  /** Load as second policies see it, which follow those that decide. */
  readonly shadowBoard?: Scoreboard;
  random(): number;
  /** Where lines of an access log go. */
  openLog(file: string): LineSink;
  /** One line for the error log. */
  log(level: "info" | "warn" | "error", message: string, fields?: LogFields): void;
}

/** One configuration, compiled. Requests keep the one that they began with. */
export interface CompiledConfig {
  readonly config: Config;
  readonly pools: ReadonlyMap<string, Pool>;
  readonly policyKeys: ReadonlyMap<Pool, Render>;
  readonly shadowKeys: ReadonlyMap<Pool, Render>;
  readonly queueKeys: ReadonlyMap<Pool, QueueKeys>;
  /** Of pools whose prompts are tokenised. */
  readonly tokenizers: ReadonlyMap<Pool, Tokenizers>;
  /** Whether any pool has a queue or tokenises: looking for that costs 3 % of a request. */
  readonly hasAdmissionSteps: boolean;
  readonly recorder: Recorder | undefined;
  /** Servers by the key of their listening address. */
  readonly servers: ReadonlyMap<string, VirtualServers>;
}

/** What a request's place in a queue depends on. */
interface QueueKeys {
  readonly priority: Render;
  readonly tenant: Render;
}

/** Renders the first of several templates that is not empty. */
function firstOf(renders: readonly Render[]): Render {
  return (context) => {
    for (const render of renders) {
      const text = render(context);
      if (text !== "") return text;
    }
    return "";
  };
}

/** The servers of each address that the configuration listens on. */
function serversOf(config: Config, deps: RouteDeps): Map<string, VirtualServers> {
  const byAddress = new Map<string, { server: Server; isDefault: boolean }[]>();
  for (const serverConfig of config.servers) {
    const server = new Server(serverConfig, deps);
    for (const listen of serverConfig.listen) {
      const key = listenKey(listen);
      const list = byAddress.get(key) ?? [];
      list.push({ server, isDefault: listen.defaultServer });
      byAddress.set(key, list);
    }
  }
  const servers = new Map<string, VirtualServers>();
  for (const [key, list] of byAddress) {
    const chosen = list.find(({ isDefault }) => isDefault) ?? list[0]!;
    servers.set(
      key,
      new VirtualServers(
        list.map(({ server }) => server),
        chosen.server,
      ),
    );
  }
  return servers;
}

export function compileConfig(
  config: Config,
  slots: SlotsByIdentity,
  { board, shadowBoard, clock, random, openLog, log }: CompileDeps,
): CompiledConfig {
  const scope = new VariableScope();
  for (const map of config.maps) compileMap(map, scope);
  const shadows = shadowBoard && {
    board: shadowBoard,
    random,
    failed: (message: string) => log("error", message),
  };
  const pools = new Map<string, Pool>();
  const policyKeys = new Map<Pool, Render>();
  const shadowKeys = new Map<Pool, Render>();
  const queueKeys = new Map<Pool, QueueKeys>();
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
    const { policy, shadow } = poolConfig;
    for (const [one, into] of [
      [policy, policyKeys],
      [shadow, shadowKeys],
    ] as const) {
      const keys = one
        ? policyKeyTemplates(one).map(({ template }) => scope.compile(template))
        : [];
      if (keys.length > 0) into.set(pool, firstOf(keys));
    }
    if (poolConfig.tokenize) tokenizers.set(pool, new Tokenizers(pool));
    const { queue } = poolConfig;
    if (queue !== undefined) {
      const { priority, tenant } = queue;
      queueKeys.set(pool, { priority: scope.compile(priority), tenant: scope.compile(tenant) });
    }
  }
  const deps: RouteDeps = {
    scope,
    clock,
    random,
    pools,
    traces: config.tracing !== undefined,
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
    policyKeys,
    shadowKeys,
    queueKeys,
    tokenizers,
    hasAdmissionSteps,
    recorder,
    servers,
  };
}
