/** All metrics, in the order of the page. */
import type { Metric } from "./definition.ts";
import { engineMetrics } from "./engine-definitions.ts";
import { omniMetrics } from "./omni-definitions.ts";
import { processMetrics, workerMetrics } from "./process-definitions.ts";
import { originalMetrics, requestMetrics, tenantMetrics } from "./request-definitions.ts";

export interface MetricGroup {
  readonly name: string;
  readonly metrics: readonly Metric[];
}

export const metricGroups: readonly MetricGroup[] = [
  { name: "requests", metrics: Object.values(requestMetrics) },
  { name: "tenants", metrics: Object.values(tenantMetrics) },
  { name: "engines", metrics: Object.values(engineMetrics) },
  { name: "workers", metrics: [...Object.values(workerMetrics), ...Object.values(processMetrics)] },
  { name: "original", metrics: Object.values(originalMetrics) },
  { name: "omni", metrics: Object.values(omniMetrics) },
];
