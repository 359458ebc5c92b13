/** The state of all engines, as the admin pages and metrics report it. */

import type { Engine } from "../../pool/engine.ts";
import { type EjectionReason, ejectionReasons } from "../../pool/health/ejection.ts";
import { type EngineStateReport, engineStateOf } from "../../pool/health/engine-state.ts";
import type { Pool } from "../../pool/pool.ts";
import { engineIdentity } from "../../pool/slots.ts";
import type { CacheKnowledge } from "../../prefix-cache/cache-knowledge.ts";
import type { QueueState } from "../../queue/pool-queues.ts";
import type { Drain } from "../discovery/drains.ts";
import type { SignalState } from "../polling/load-poller.ts";
import type { AdminSource } from "./admin-source.ts";

export interface EngineReport extends EngineStateReport {
  readonly engine: string;
  readonly weight: number;
  /** Requests of all workers there, bytes and tokens of their prompts, and tokens of their responses so far. */
  readonly inFlight: number;
  readonly promptBytes: number;
  readonly promptTokens: number;
  readonly answerTokens: number;
  /**
   * Moving averages: from sending a request to the first and the last byte of its response. Absent = none has ended.
   */
  readonly firstByteMs?: number;
  readonly serviceMs?: number;
  /** Those that count towards `maxFails`. */
  readonly failures: number;
  /** Why it was ejected, or would be if less of its pool were, and until when (ISO 8601); then one request tries it. */
  readonly ejection?: { readonly reason: EjectionReason; readonly until: string };
  /** Whether its health checks fail. */
  readonly isUnhealthy?: boolean;
  /** Whether it reports its load; absent = it is not polled. */
  readonly signal?: SignalState;
  /** External requests: those at the engine that are not this proxy's. */
  readonly others?: number;
  /** Share of its KV cache in use, if it reports that. */
  readonly kvUse?: number;
  /** How well the proxy knows what it has cached. */
  readonly cache: CacheKnowledge;
  /** Prefills whose KV cache it may hold still. */
  readonly kvOpen: number;
  /** What names the engine: `configuration`, or the names of sources. Empty = none does any more. */
  readonly sources: readonly string[];
  /** Why it drains, and since when (ISO 8601); `source` = the configuration or a source says so, from the start. */
  readonly draining?: { readonly why: "operator" | "removed" | "source"; readonly since?: string };
}

export interface PoolReport {
  readonly pool: string;
  readonly policy: string;
  /** Requests that wait for capacity; absent = the pool has no queue. */
  readonly waiting?: number;
  readonly engines: readonly EngineReport[];
}

/** @param nowMs since the epoch */
export function poolReports(
  { pools, signals, discovery }: Pick<AdminSource, "pools" | "signals" | "discovery">,
  { caches, queues }: QueueState,
  nowMs: number,
): PoolReport[] {
  const { drains } = discovery;
  const waitingOf = new Map(queues.map(({ pool, waiting }) => [pool, waiting]));
  const knowledge = new Map(caches.map((one) => [`${one.pool} ${one.engine}`, one.knowledge]));
  return pools.map((pool) => {
    // Without a prefill queue, a policy that uses prompt blocks knows what was sent where; any other one knows nothing.
    const otherwise = pool.usesBlocks ? "approximate" : "blind";
    const sources = discovery.sourcesOf(pool.name);
    const engines = pool.engines.map((engine) => {
      const { name, index, slot } = engine;
      const { board } = pool;
      const serviceMs = board.serviceMs(slot);
      return {
        engine: name,
        ...engineStateOf(pool, engine, nowMs),
        weight: pool.weights[index]!,
        inFlight: board.inFlight(slot),
        promptBytes: board.promptBytes(slot),
        promptTokens: board.promptTokens(slot),
        answerTokens: board.responseTokens(slot),
        ...(serviceMs > 0 && { firstByteMs: board.firstByteMs(slot), serviceMs }),
        failures: board.failures.count(slot),
        ...ejectionOf(pool, engine),
        ...signalOf(pool, engine, signals),
        cache: knowledge.get(`${pool.name} ${name}`) ?? otherwise,
        kvOpen: board.kv.openOf(slot),
        sources: sources.get(engine.address.key) ?? [],
        ...drainOf(engine, drains.get(engineIdentity(pool.name, name))),
      };
    });
    const waiting = waitingOf.get(pool.name);
    return {
      pool: pool.name,
      policy: pool.policyLabel,
      ...(waiting !== undefined && { waiting }),
      engines,
    };
  });
}

function drainOf({ isDraining }: Engine, drain: Drain | undefined): Partial<EngineReport> {
  if (!isDraining) return {};
  if (drain === undefined) return { draining: { why: "source" } };
  return { draining: { why: drain.why, since: new Date(drain.sinceMs).toISOString() } };
}

function ejectionOf({ board: { health, failures }, config }: Pool, engine: Engine) {
  const { slot, maxFails, failTimeoutMs } = engine;
  const isNginx = config.ejection.rule === "max_fails";
  const isFailing = isNginx && maxFails > 0 && failures.count(slot) >= maxFails;
  const untilMs = isFailing ? failures.checkedAt(slot) + failTimeoutMs : health.ejectedUntil(slot);
  const reason = isNginx ? "failures" : (ejectionReasons[health.reason(slot)] ?? "");
  return {
    ...(untilMs > 0 && { ejection: { reason, until: new Date(untilMs).toISOString() } }),
    ...(health.isUnhealthy(slot) && { isUnhealthy: true }),
  };
}

function signalOf(
  { name: pool, board }: Pool,
  { name, slot }: Engine,
  signals: ReadonlyMap<string, SignalState>,
): Partial<EngineReport> {
  const signal = signals.get(engineIdentity(pool, name));
  if (signal !== "live") return signal === undefined ? {} : { signal };
  const kvUse = board.signals.kvUse(slot);
  return { signal, others: board.signals.externalRequests(slot), ...(kvUse >= 0 && { kvUse }) };
}
