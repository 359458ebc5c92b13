/** Runs all checks over the engines of a configuration, with the real proxy in front of them. Bounded in time. */
import type { Config, EngineConfig } from "../config/schema/schema.ts";
import type { DialectName } from "../dialects/registry.ts";
import type { KvEndpoint } from "../kv-events/feed.ts";
import { type ConfiguredEngine, enginesOf } from "../pool/engines.ts";
import { type CheckBounds, CheckContext, type CheckedEngine } from "./context.ts";
import { checkedEnginesMax } from "./limits.ts";
import { choosePairs } from "./pairs.ts";
import { type ProxyDeps, startProxy } from "./proxy.ts";
import { allChecks, type CheckWishes } from "./registry.ts";
import { type Finding, fleet, pairName, type Report, type ReportedEngine } from "./report.ts";

export interface RunCheckOptions extends CheckWishes {
  /** Of the flags, as the proxy would serve by it; its dialect may still be `auto`. */
  readonly config: Config;
  readonly deps: ProxyDeps;
  readonly bounds: CheckBounds & { readonly totalMs: number };
  /** Sent with each request. */
  readonly headers: Readonly<Record<string, string>>;
  readonly onFinding: (finding: Finding) => void;
  /** Ends the run early, with what has been found by then. */
  readonly stop: AbortSignal;
}

export async function runCheck(options: RunCheckOptions): Promise<Report> {
  const { config, deps, bounds } = options;
  const startMs = deps.clock.nowMs();
  const context = new CheckContext({
    ...options,
    ...deps,
    engines: checkedEngines(config),
    deadlineMs: startMs + bounds.totalMs,
  });
  let proxyLog: readonly string[] = [];
  try {
    for (const check of allChecks(options)) {
      if (options.stop.aborted) {
        const message = "the check was stopped before its end";
        context.report("fail", "check.stopped", fleet, message);
        break;
      }
      if (check.needs === "proxy" && !(await hasProxy(context, options))) continue;
      if (context.leftMs === 0) {
        const remedy = "give it more time with --timeout";
        context.report("fail", `${check.name}.no-time`, fleet, "there was no time left", {
          remedy,
        });
      } else await check.run(context);
    }
  } finally {
    proxyLog = context.proxy?.log() ?? [];
    await context.proxy?.stop();
  }
  return {
    engines: context.engines.map(({ role, url, name }): ReportedEngine => ({ role, url, name })),
    dialect: context.dialect,
    findings: context.findings,
    proxyLog,
    requests: context.requests,
    seconds: Number(((deps.clock.nowMs() - startMs) / 1_000).toFixed(1)),
  };
}

/** Starts the proxy when the first check needs it. Nothing is sent to engines that did not respond. */
async function hasProxy(context: CheckContext, options: RunCheckOptions): Promise<boolean> {
  if (context.proxy !== undefined) return context.isReady;
  const { dialect } = context;
  if (isBlocked(context) || dialect === undefined) return false;
  const pairs = pairsOf(context);
  const config = servedBy(options.config, context, dialect);
  try {
    const configs = pairs.map(([prefill, decode]) => ({
      prefill: prefill?.engine.config,
      decode: decode.engine.config,
    }));
    context.proxy = await startProxy(config, configs, options.deps, context.bounds.stepMs);
  } catch (error) {
    const message = `the proxy does not start: ${(error as Error).message}`;
    context.report("fail", "proxy.no-start", fleet, message);
    return false;
  }
  const { pairs: addresses } = context.proxy;
  context.pairs = pairs.map(([prefill, decode], i) => {
    const name = prefill === undefined ? decode.name : pairName(prefill, decode);
    return { name, prefill, decode, address: addresses[i]! };
  });
  return true;
}

/** Each request would fail at one of the engines. */
const noModelCodes = ["models.differ", "models.missing"];

/** Reported once: nothing can be computed without an engine of each kind. */
function isBlocked(context: CheckContext): boolean {
  const roles = new Set(context.engines.map(({ role }) => role));
  const missing = [...roles].filter(
    (role) => !context.engines.some((engine) => engine.role === role && engine.isUp),
  );
  const names = missing.map((role) => (role === "engine" ? "engine" : `${role} engine`));
  const reason =
    names.length > 0
      ? `no ${names.join(" and no ")} responds as one`
      : context.dialect === undefined
        ? "the dialect is not known"
        : context.findings.some(({ code }) => noModelCodes.includes(code))
          ? "no model is served by all engines"
          : undefined;
  if (reason === undefined) return false;
  if (!context.findings.some(({ code }) => code === "proxy.blocked")) {
    const message = `nothing was sent through the proxy: ${reason}`;
    context.report("skip", "proxy.blocked", fleet, message);
  }
  return true;
}

type Pair = readonly [prefill: CheckedEngine | undefined, decode: CheckedEngine];

function pairsOf({ engines, splits }: CheckContext): readonly Pair[] {
  const up = (role: CheckedEngine["role"]) =>
    engines.filter((engine) => engine.role === role && engine.isUp);
  if (splits) return choosePairs(up("prefill"), up("decode"));
  return engines.filter(({ isUp }) => isUp).map((engine) => [undefined, engine] as const);
}

/** The fleet without engines that did not respond, by the dialect that was found. */
function servedBy(config: Config, context: CheckContext, dialect: DialectName): Config {
  const isUp = (url: string) => context.engines.some((one) => one.isUp && one.url === url);
  const pools = Object.fromEntries(
    Object.entries(config.pools).map(([name, pool]) => {
      const engines = pool.engines.filter(({ url }: EngineConfig) => isUp(url));
      return [name, { ...pool, engines }];
    }),
  );
  const servers = config.servers.map((server) => ({
    ...server,
    routes: server.routes.map((route) => ({ ...route, dialect })),
  }));
  return { ...config, pools, servers };
}

/** One for each address: all ranks behind it are one server. */
function checkedEngines(config: Config): CheckedEngine[] {
  const splits = config.pools["prefill"] !== undefined;
  const engines = Object.entries(config.pools).flatMap(([pool, poolConfig]) => {
    const role = pool === "prefill" ? "prefill" : splits ? "decode" : "engine";
    const byUrl = new Map(enginesOf(poolConfig).map((engine) => [engine.config.url, engine]));
    return [...byUrl].slice(0, checkedEnginesMax).map(
      ([url, engine]): CheckedEngine => ({
        role,
        url,
        name: `${role} ${engine.address.key}`,
        engine,
        kvEvents: kvEndpointOf(engine, poolConfig.kvEvents),
        isUp: false,
        responses: new Map(),
        facts: undefined,
        detection: undefined,
        models: [],
        contextTokens: undefined,
        loadPath: undefined,
        loadBefore: undefined,
      }),
    );
  });
  return engines;
}

/** Of its first rank. */
function kvEndpointOf(
  { address, attributes }: ConfiguredEngine,
  ofPool:
    | { readonly port: number; readonly replayPort: number; readonly topic: string }
    | undefined,
): KvEndpoint | undefined {
  const port = attributes["kv_events_port"] ?? ofPool?.port;
  if (port === undefined || address.host === undefined) return undefined;
  const replayPort = Number(attributes["kv_replay_port"] ?? ofPool?.replayPort ?? 0);
  return { host: address.host, port: Number(port), replayPort, topic: ofPool?.topic ?? "" };
}
