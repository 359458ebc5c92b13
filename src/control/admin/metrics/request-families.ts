/** What has become of requests, as workers have counted it. */
import { retryConditions } from "../../../config/values/retry-conditions.ts";
import type { Metric } from "../../../observe/metrics/definition.ts";
import type { Exposition } from "../../../observe/metrics/exposition.ts";
import {
  type MetricsMemory,
  otherLabel,
  rowFields,
  sourcesOf,
  tenantFields,
} from "../../../observe/metrics/metrics-memory.ts";
import {
  originalMetrics,
  requestHistograms,
  requestMetrics,
  requestTotals,
  tenantMetrics,
} from "../../../observe/metrics/request-definitions.ts";
import { outcomes } from "../../../proxy/context/outcomes.ts";
import { refusedCounter, retryCounter } from "../../../proxy/context/request-counters.ts";
import { legNames } from "../../../scoreboard/leg-counts.ts";
import { beingRetried, type RequestCounts } from "../../../scoreboard/request-counts.ts";
import type { Series } from "../../../scoreboard/series-rows.ts";
import type { PoolReport } from "../engines.ts";

/** Conditions under which something is retried; the others only change what these mean. */
const causes = retryConditions.filter((one) => one !== "off" && one !== "non_idempotent");

const histogramNames = Object.keys(requestHistograms) as (keyof typeof requestHistograms)[];
const totalNames = Object.keys(requestTotals) as (keyof typeof requestTotals)[];

export function writeRequests(out: Exposition, memory: MetricsMemory, vllmNames: boolean): void {
  const ended = memory.outcomes.read().filter(isInUse);
  const rows = memory.rows.read().filter(isInUse);
  const requests = out.family(requestMetrics.ended);
  for (const { labels, values } of ended) {
    const [route = "", model = "", outcome = "", status = ""] = labels;
    requests.add({ route, model, outcome, status }, values[0]);
  }
  for (const name of histogramNames) {
    const family = out.family(requestHistograms[name]);
    for (const { labels, values } of rows) {
      family.addHistogram(byModel(labels), values, rowFields[name]);
    }
  }
  for (const name of totalNames) {
    const metric: Metric<"route" | "model" | "source"> = requestTotals[name];
    const family = out.family(metric);
    for (const { labels, values } of rows) {
      sourcesOf(name).forEach((source, index) => {
        family.add({ ...byModel(labels), source }, values[rowFields[name] + index]);
      });
    }
  }
  if (vllmNames) writeVllm(out, rows, ended);
}

/** What vLLM and the original count of requests, by their names alone. */
export function writeVllmNames(out: Exposition, memory: MetricsMemory): void {
  writeVllm(out, memory.rows.read().filter(isInUse), memory.outcomes.read().filter(isInUse));
}

/** Of requests that had to say whose they are. */
export function writeTenants(out: Exposition, { tenants }: MetricsMemory): void {
  const rows = tenants.read().filter(isInUse);
  const requests = out.family(tenantMetrics.requests);
  const tokens = new Map<string, { prompt: number; output: number }>();
  for (const { labels, values } of rows) {
    const [tenant = "", outcome = ""] = labels;
    requests.add({ tenant, outcome }, values[tenantFields.requests]);
    const sum = tokens.get(tenant) ?? { prompt: 0, output: 0 };
    sum.prompt += values[tenantFields.promptTokens]!;
    sum.output += values[tenantFields.outputTokens]!;
    tokens.set(tenant, sum);
  }
  const prompts = out.family(tenantMetrics.promptTokens);
  for (const [tenant, { prompt }] of tokens) prompts.add({ tenant }, prompt);
  const outputs = out.family(tenantMetrics.outputTokens);
  for (const [tenant, { output }] of tokens) outputs.add({ tenant }, output);
}

/** The row for what has no other one is there from the start. */
function isInUse({ labels, values }: Series): boolean {
  return labels[0] !== otherLabel || values.some((value) => value !== 0);
}

function byModel([route = "", model = ""]: readonly string[]) {
  return { route, model };
}

/** The same by vLLM's names and labels, over all routes; and what the original counts. */
function writeVllm(out: Exposition, rows: readonly Series[], ended: readonly Series[]): void {
  const models = [...sumByModel(rows)];
  for (const name of histogramNames) {
    const metric: Metric = requestHistograms[name];
    if (metric.vllmName === undefined) continue;
    const family = out.family(vllmTwin(metric, metric.vllmName));
    for (const [model, values] of models) {
      family.addHistogram(vllmLabels(model), values, rowFields[name]);
    }
  }
  for (const name of totalNames) {
    const metric: Metric = requestTotals[name];
    if (metric.vllmName === undefined) continue;
    const family = out.family(vllmTwin(metric, metric.vllmName));
    for (const [model, values] of models) {
      const at = rowFields[name];
      const sum = values.slice(at, at + sourcesOf(name).length).reduce((a, b) => a + b, 0);
      family.add(vllmLabels(model), sum);
    }
  }
  // What the configuration itself responds is no request of the original's.
  const counted = ended.filter(({ labels: [, , outcome] }) => outcome !== outcomes.returned.code);
  const succeeds = ({ labels: [, , outcome, status] }: Series) =>
    outcome === outcomes.answered.code && Number(status) < 400;
  for (const [metric, counts] of [
    [originalMetrics.success, counted.filter(succeeds)],
    [originalMetrics.failure, counted.filter((one) => !succeeds(one))],
  ] as const) {
    const family = out.family(metric);
    for (const [model, [count]] of sumByModel(counts)) family.add(vllmLabels(model), count);
  }
}

function vllmTwin(metric: Metric, name: string): Metric<"engine" | "model_name"> {
  return { ...metric, name, labels: ["engine", "model_name"] };
}

/** The engine is vLLM's own number of itself. */
function vllmLabels(model: string) {
  return { engine: "0", model_name: model };
}

function sumByModel(rows: readonly Series[]): Map<string, Float64Array> {
  const sums = new Map<string, Float64Array>();
  for (const { labels, values } of rows) {
    const [, model = ""] = labels;
    const sum = sums.get(model) ?? new Float64Array(values.length);
    values.forEach((value, i) => {
      sum[i] = sum[i]! + value;
    });
    sums.set(model, sum);
  }
  return sums;
}

export function writeRetries(out: Exposition, counts: RequestCounts): void {
  const retries = out.family(requestMetrics.retries);
  for (const leg of legNames) {
    for (const condition of causes) {
      retries.add({ leg, condition }, counts.sum(retryCounter(leg, condition)));
    }
  }
  const refused = out.family(requestMetrics.retriesRefused);
  for (const leg of legNames) refused.add({ leg }, counts.sum(refusedCounter(leg)));
  out.family(requestMetrics.beingRetried).add({}, counts.sum(beingRetried));
}

export function writeWaiting(out: Exposition, pools: readonly PoolReport[]): void {
  const family = out.family(requestMetrics.waiting);
  for (const { pool, waiting } of pools) family.add({ pool }, waiting);
}
