/** What has become of requests, and which engines were ejected for what, in Prometheus' text format. */
import { retryConditions } from "../../config/schema/server/retry.ts";
import { ejectionReasons } from "../../pool/health/ejection.ts";
import type { Pool } from "../../pool/pool.ts";
import {
  countedLegs,
  outcomeCodes,
  outcomeCounter,
  refusedCounter,
  retryCounter,
} from "../../proxy/context/request-counters.ts";
import { beingRetried, type RequestCounts } from "../../scoreboard/request-counts.ts";
import { labelled, type MetricFamily } from "./metric-family.ts";

/** Conditions under which something is retried; the others only change what these mean. */
const causes = retryConditions.filter((one) => one !== "off" && one !== "non_idempotent");

export function requestMetrics(counts: RequestCounts): MetricFamily[] {
  return [
    {
      name: "global_proxy_requests_total",
      help: "Requests that have ended, by outcome (docs/outcomes.md).",
      type: "counter",
      samples: outcomeCodes.map((outcome) =>
        labelled({ outcome }, counts.sum(outcomeCounter({ code: outcome }))),
      ),
    },
    {
      name: "global_proxy_retries_total",
      help: "Retries, by the leg that had failed and how, as in retry.on.",
      type: "counter",
      samples: countedLegs.flatMap((leg) =>
        causes.map((condition) =>
          labelled({ leg, condition }, counts.sum(retryCounter(leg, condition))),
        ),
      ),
    },
    {
      name: "global_proxy_retries_refused_total",
      help: "Failures that were not retried because the retry budget was used up.",
      type: "counter",
      samples: countedLegs.map((leg) => labelled({ leg }, counts.sum(refusedCounter(leg)))),
    },
    {
      name: "global_proxy_requests_being_retried",
      help: "Requests that the retry budget counts as being retried now.",
      type: "gauge",
      samples: [labelled({}, counts.sum(beingRetried))],
    },
  ];
}

/** @param nowMs since the epoch */
export function ejectionMetrics(pools: readonly Pool[], nowMs: number): MetricFamily[] {
  const engines = pools.flatMap((pool) =>
    pool.engines.map((engine) => ({
      pool,
      engine,
      labels: { pool: pool.name, engine: engine.name },
    })),
  );
  return [
    {
      name: "global_proxy_engine_ejected",
      help: "1 if the engine is ejected now.",
      type: "gauge",
      samples: engines.map(({ pool, engine, labels }) =>
        labelled(labels, pool.health.isEjected(engine, nowMs) ? 1 : 0),
      ),
    },
    {
      name: "global_proxy_engine_ejections_total",
      help: "Ejections of the engine, by cause.",
      type: "counter",
      samples: engines.flatMap(({ pool, engine, labels }) =>
        ejectionReasons.slice(1).map((cause, index) => {
          const { health } = pool.board;
          return labelled({ ...labels, cause }, health.ejectedFor(engine.slot, index + 1));
        }),
      ),
    },
  ];
}
