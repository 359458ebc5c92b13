/** The state of all engines, as the admin pages and metrics report it. */
import { z } from "zod";
import type { Engine } from "../../pool/engine.ts";
import { ejectionReasons } from "../../pool/health/ejection.ts";
import { engineStateOf, engineStateReasons, engineStates } from "../../pool/health/engine-state.ts";
import type { Pool } from "../../pool/pool.ts";
import { engineIdentity } from "../../pool/slots.ts";
import type { QueueState } from "../../queue/pool-queues.ts";
import type { Drain } from "../discovery/drains.ts";
import { engineModelsMax } from "../limits.ts";
import type { SignalState } from "../polling/load-poller.ts";
import type { AdminSource } from "./admin-source.ts";
import { count, milliseconds, named, timestamp } from "./schemas.ts";

export const engineReportSchema = named(
  "Engine",
  z.object({
    engine: z.string().describe("Its address, with `@RANK` for one rank behind it."),
    state: z.enum(engineStates),
    why: z
      .enum(engineStateReasons)
      .optional()
      .describe(
        "Of `degraded` and `ejected`; `full` of a healthy one: it has `maxConns` requests.",
      ),
    weight: z.number().describe("As configured; lower during slow start."),
    inFlight: count.describe("Requests of all workers there."),
    promptBytes: count.describe("Bytes of their prompts."),
    promptTokens: z.number().describe("Tokens of their prompts."),
    answerTokens: z.number().describe("Tokens of their responses so far."),
    firstByteMs: milliseconds
      .optional()
      .describe(
        "Moving average from sending a request to the first byte of its response. Absent = none has ended.",
      ),
    serviceMs: milliseconds.optional().describe("The same to the last byte."),
    failures: count.describe("In a row, or those that count towards `maxFails`."),
    ejection: z
      .object({ reason: z.enum([...ejectionReasons]), until: timestamp })
      .optional()
      .describe(
        "Why it was ejected, or would be if less of its pool were, and until when; then one request tries it.",
      ),
    isUnhealthy: z.boolean().optional().describe("Its health checks fail."),
    signal: z
      .enum(["live", "dead"])
      .optional()
      .describe("Whether it reports its load. Absent = it is not polled."),
    others: z.number().optional().describe("External requests: those that are not this proxy's."),
    kvUse: z.number().optional().describe("Share of its KV cache in use, if it reports that."),
    cache: z
      .enum(["exact", "approximate", "blind", "unused"])
      .describe(
        "How well the proxy knows what it has cached. `unused` = its pool does not go by that.",
      ),
    models: z
      .array(
        z.object({
          name: z.string(),
          adapterOf: z.string().optional().describe("Of a LoRA adapter: its model."),
        }),
      )
      .optional()
      .describe("What it lists. Absent = it is not asked, or has not said."),
    modelsUntold: count.optional().describe("Of those, how many are left out here."),
    kvOpen: count.describe("Prefills whose KV cache it may hold still."),
    sources: z
      .array(z.string())
      .readonly()
      .describe("What names it: `configuration`, or names of sources. Empty = none does any more."),
    draining: z
      .object({ why: z.enum(["operator", "removed", "source"]), since: timestamp.optional() })
      .optional()
      .describe(
        "Why it drains, and since when; `source` = the configuration or a source says so, from the start.",
      ),
  }),
);
export type EngineReport = Readonly<z.output<typeof engineReportSchema>>;

export const poolReportSchema = named(
  "Pool",
  z.object({
    pool: z.string(),
    policy: z.string().describe("How its engines are chosen, in short."),
    waiting: count
      .optional()
      .describe("Requests that wait for capacity. Absent = the pool has no queue."),
    engines: z.array(engineReportSchema).readonly(),
  }),
);
export type PoolReport = Readonly<z.output<typeof poolReportSchema>>;

/** The pools and engines as they are now. @param modelsMax names of each engine's models */
export async function reportsOf(
  source: AdminSource,
  nowMs: number,
  modelsMax = engineModelsMax,
): Promise<PoolReport[]> {
  return poolReports(source, await source.queue(), nowMs, modelsMax);
}

/** @param nowMs since the epoch */
export function poolReports(
  { pools, signals, discovery }: Pick<AdminSource, "pools" | "signals" | "discovery">,
  { caches, queues }: QueueState,
  nowMs: number,
  modelsMax: number,
): PoolReport[] {
  const { drains } = discovery;
  const waitingOf = new Map(queues.map(({ pool, waiting }) => [pool, waiting]));
  const knowledge = new Map(caches.map((one) => [`${one.pool} ${one.engine}`, one.knowledge]));
  return pools.map((pool) => {
    // Without a prefill queue, a policy that uses prompt blocks knows what was sent where; any other one does not ask.
    const otherwise: EngineReport["cache"] = pool.usesBlocks ? "approximate" : "unused";
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
        ...modelsOf(engine, modelsMax),
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

function modelsOf({ models }: Engine, max: number): Partial<EngineReport> {
  if (models === undefined) return {};
  const untold = models.length - max;
  return {
    models: models
      .slice(0, max)
      .map(({ id, parent }) => ({ name: id, ...(parent && { adapterOf: parent }) })),
    ...(untold > 0 && { modelsUntold: untold }),
  };
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
