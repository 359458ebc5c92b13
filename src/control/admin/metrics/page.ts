/** The page of metrics: all that the proxy knows in numbers, in Prometheus' text format. */
import type { MetricsConfig } from "../../../config/schema/metrics.ts";
import { Exposition } from "../../../observe/metrics/exposition.ts";
import type { MetricsMemory } from "../../../observe/metrics/metrics-memory.ts";
import type { Pool } from "../../../pool/pool.ts";
import type { RequestCounts } from "../../../scoreboard/request-counts.ts";
import type { WorkerCounts } from "../../workers/restarts.ts";
import type { AdminSource } from "../admin-source.ts";
import { type PoolReport, reportsOf } from "../engines.ts";
import { type KvPoolReport, kvReports } from "../kv.ts";
import { writeEngines } from "./engine-families.ts";
import { type Build, writeProcess } from "./process-families.ts";
import { writeRequests, writeRetries, writeTenants, writeWaiting } from "./request-families.ts";

export interface MetricsSource {
  readonly build: Build;
  readonly config: Pick<MetricsConfig, "vllmNames">;
  readonly workers: WorkerCounts;
  readonly pools: readonly Pool[];
  readonly poolReports: readonly PoolReport[];
  readonly kvReports: readonly KvPoolReport[];
  /** Undefined = there are no workers yet. */
  readonly metrics: MetricsMemory | undefined;
  readonly requests: RequestCounts | undefined;
}

/** Everything, of a proxy that runs. @param nowMs since the epoch */
export async function metricsPage(source: AdminSource, nowMs: number): Promise<string> {
  const all = {
    ...source,
    config: source.config.metrics,
    poolReports: await reportsOf(source, nowMs),
    kvReports: kvReports(source.pools, nowMs),
  };
  return metricsText(all, nowMs);
}

/** @param nowMs since the epoch */
function metricsText(source: MetricsSource, nowMs: number): string {
  const out = new Exposition();
  const { metrics, requests, poolReports } = source;
  if (metrics !== undefined) writeRequests(out, metrics, source.config.vllmNames);
  if (requests !== undefined) writeRetries(out, requests);
  writeWaiting(out, poolReports);
  if (metrics !== undefined) writeTenants(out, metrics);
  writeEngines(out, source, nowMs);
  writeProcess(out, source);
  return out.text;
}
