/** The fleet as the dashboard draws it: pools by their part in requests, and the load of each engine. */
import type { Config } from "../../../config/schema/schema.ts";
import { policyNamed } from "../../../policies/registry.ts";
import { allRouteParts } from "../../discovery/route-pools.ts";
import type { AdminSource } from "../admin-source.ts";
import type { EngineReport, PoolReport } from "../engines.ts";
import type { EngineWatch } from "./engine-watch.ts";
import type { Fleet, FleetEngine, FleetPool, Load, LoadField, Role } from "./messages.ts";
import { loadFields } from "./messages.ts";

/** `predictive` is the queue's, and in no list of policies. */
const predictiveSummary =
  "The engine where the prefill is predicted to end first: its wait, and the rest of the prompt that is not cached.";

export function fleetOf(
  source: Pick<AdminSource, "build" | "workers" | "isDraining" | "config" | "metrics">,
  reports: readonly PoolReport[],
  watch: EngineWatch,
): Fleet {
  const { build, workers, isDraining, config, metrics } = source;
  const parts = partsOf(config);
  const places = new Map(reports.map(({ pool }, index) => [pool, index]));
  const linked = parts.links.flatMap(([from, to]) => {
    const pair = [places.get(from), places.get(to)] as const;
    return pair[0] === undefined || pair[1] === undefined ? [] : [[pair[0], pair[1]] as const];
  });
  return {
    version: build.version,
    runtime: build.runtime,
    startedMs: build.startedMs,
    workers: { alive: workers.alive, configured: workers.configured },
    isDraining,
    countsRequests: config.metrics.enabled && metrics !== undefined,
    keepsRequests: (config.admin?.explainedRequestsMax ?? 0) > 0,
    pools: reports.map((report) => poolOf(report, parts.roles.get(report.pool) ?? "serve", watch)),
    links: linked,
  };
}

function poolOf({ pool, policy, waiting, engines }: PoolReport, role: Role, watch: EngineWatch) {
  const name = policy.split(/[ ?]/, 1)[0]!;
  const summary = name === "predictive" ? predictiveSummary : policyNamed(name)?.summary;
  const view: FleetPool = {
    pool,
    role,
    policy,
    policySummary: summary ?? "",
    hasQueue: waiting !== undefined,
    engines: engines.map((engine) => engineOf(pool, engine, watch)),
  };
  return view;
}

function engineOf(pool: string, report: EngineReport, watch: EngineWatch): FleetEngine {
  const { engine, state, why, weight, ejection, isUnhealthy } = report;
  const { signal, cache, sources, draining, models, modelsUntold = 0 } = report;
  const seen = watch.of(pool, engine);
  return {
    ...{ engine, state, weight, cache, sources, sinceMs: seen?.sinceMs ?? 0 },
    ...(models !== undefined && { models, modelsUntold }),
    ...(why !== undefined && { why }),
    ...(ejection !== undefined && { ejection }),
    ...(isUnhealthy !== undefined && { isUnhealthy }),
    ...(signal !== undefined && { signal }),
    ...(draining !== undefined && { draining }),
    ...(seen?.burst !== undefined && { burst: seen.burst }),
  };
}

export function loadOf(reports: readonly PoolReport[], watch: EngineWatch, atMs: number): Load {
  return {
    atMs,
    waiting: reports.map(({ waiting }) => waiting ?? null),
    engines: reports.map(({ pool, engines }) =>
      engines.map((report) => {
        const rate = watch.of(pool, report.engine)?.rate ?? 0;
        return loadFields.map((field) => rounded(loadField(report, field, rate)));
      }),
    ),
  };
}

function loadField(report: EngineReport, field: LoadField, rate: number): number {
  if (field === "rate") return rate;
  if (field === "responseTokens") return report.answerTokens;
  return report[field] ?? -1;
}

const rounded = (value: number) => Math.round(value * 100) / 100;

interface Parts {
  readonly roles: ReadonlyMap<string, Role>;
  readonly links: readonly (readonly [string, string])[];
}

/** @returns the part of a pool by its name */
export function rolesOf(config: Config): (pool: string) => Role {
  const { roles } = partsOf(config);
  return (pool) => roles.get(pool) ?? "serve";
}

/** What each pool does for requests. One that does several things is what it is for the first route. */
function partsOf(config: Config): Parts {
  const roles = new Map<string, Role>();
  const links = new Map<string, readonly [string, string]>();
  const plays = (pool: string, role: Role) => {
    if (!roles.has(pool)) roles.set(pool, role);
  };
  const link = (from: string, to: string) => {
    if (from !== to) links.set(`${from} ${to}`, [from, to]);
  };
  for (const { encode, prefill, decode, whole } of allRouteParts(config)) {
    for (const pool of prefill) plays(pool, "prefill");
    for (const pool of decode) plays(pool, "decode");
    for (const pool of encode) plays(pool, "encode");
    for (const from of encode) for (const to of [...prefill, ...whole]) link(from, to);
    for (const from of prefill) for (const to of decode) link(from, to);
  }
  return { roles, links: [...links.values()] };
}
