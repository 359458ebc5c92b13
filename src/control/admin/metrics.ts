/** The state of all engines in Prometheus' text format. */
import type { CacheKnowledge } from "../../prefix-cache/cache-knowledge.ts";
import type { WorkerCounts } from "../workers/restarts.ts";
import type { EngineReport, PoolReport } from "./engines.ts";
import { head, label, linesOf, type MetricFamily } from "./metric-family.ts";

interface Gauge {
  readonly name: string;
  readonly help: string;
  /** Undefined = not known for this engine. */
  value(engine: EngineReport): number | undefined;
}

const gauges: readonly Gauge[] = [
  {
    name: "global_proxy_engine_up",
    help: "1 if the engine takes requests, also if it is full at the moment.",
    value: ({ state }) => Number(state === "healthy" || state === "degraded"),
  },
  {
    name: "global_proxy_engine_requests_in_flight",
    help: "Requests of this proxy at the engine.",
    value: ({ inFlight }) => inFlight,
  },
  {
    name: "global_proxy_engine_prompt_bytes",
    help: "Bytes of the prompts at the engine.",
    value: ({ promptBytes }) => promptBytes,
  },
  {
    name: "global_proxy_engine_prompt_tokens",
    help: "Tokens of the prompts at the engine, estimated from their bytes.",
    value: ({ promptTokens }) => promptTokens,
  },
  {
    name: "global_proxy_engine_answer_tokens",
    help: "Tokens generated so far in the responses that are being decoded there.",
    value: ({ answerTokens }) => answerTokens,
  },
  {
    name: "global_proxy_engine_first_byte_ms",
    help: "Moving average of the time from sending a request to the first byte of its response.",
    value: ({ firstByteMs }) => firstByteMs,
  },
  {
    name: "global_proxy_engine_service_ms",
    help: "Moving average of the time from sending a request to the last byte of its response.",
    value: ({ serviceMs }) => serviceMs,
  },
  {
    name: "global_proxy_engine_failures",
    help: "Failures that count towards max_fails.",
    value: ({ failures }) => failures,
  },
  {
    name: "global_proxy_engine_signal_live",
    help: "1 if the engine reports its load, 0 if it is polled and does not.",
    value: ({ signal }) => (signal === undefined ? undefined : Number(signal === "live")),
  },
  {
    name: "global_proxy_engine_others_requests",
    help: "Requests at the engine that are not this proxy's: its reported load minus requests in flight.",
    value: ({ others }) => others,
  },
  {
    name: "global_proxy_engine_kv_usage",
    help: "Share of the engine's KV cache in use, as it reports it.",
    value: ({ kvUse }) => kvUse,
  },
];

const replacedMetric = "global_proxy_workers_replaced_total";
const waitingMetric = "global_proxy_waiting_requests";
const cacheMetric = "global_proxy_engine_cache_knowledge";
const cacheStates: readonly CacheKnowledge[] = ["exact", "approximate", "blind"];

export function metricsText(
  workers: WorkerCounts,
  pools: readonly PoolReport[],
  families: readonly MetricFamily[],
): string {
  const lines = [
    ...head("global_proxy_workers", "Workers that are alive."),
    `global_proxy_workers ${workers.alive}`,
    ...head(
      replacedMetric,
      "Workers that had to be replaced, by what had become of them.",
      "counter",
    ),
    `${replacedMetric}{cause="died"} ${workers.died}`,
    `${replacedMetric}{cause="hung"} ${workers.hung}`,
  ];
  lines.push(...head(waitingMetric, "Requests that wait for capacity at an engine of the pool."));
  for (const { pool, waiting } of pools) {
    if (waiting !== undefined) lines.push(`${waitingMetric}{pool="${label(pool)}"} ${waiting}`);
  }
  const engines = pools.flatMap(({ pool, engines: ones }) =>
    ones.map((engine) => ({
      engine,
      labels: `pool="${label(pool)}",engine="${label(engine.engine)}"`,
    })),
  );
  for (const { name, help, value } of gauges) {
    lines.push(...head(name, help));
    for (const { engine, labels } of engines) {
      const number = value(engine);
      if (number !== undefined) lines.push(`${name}{${labels}} ${number}`);
    }
  }
  lines.push(
    ...head(cacheMetric, "1 for the state of knowledge about what the engine has cached."),
  );
  for (const { engine, labels } of engines) {
    for (const state of cacheStates) {
      const value = engine.cache === state ? 1 : 0;
      lines.push(`${cacheMetric}{${labels},state="${state}"} ${value}`);
    }
  }
  lines.push(...families.flatMap(linesOf));
  return `${lines.join("\n")}\n`;
}
