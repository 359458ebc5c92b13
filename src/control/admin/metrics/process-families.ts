/** Numbers of the process and its workers. */
import { readdirSync } from "node:fs";
import type { Exposition } from "../../../observe/metrics/exposition.ts";
import type { MetricsMemory } from "../../../observe/metrics/metrics-memory.ts";
import {
  processMetrics,
  type WorkerMetric,
  workerFieldCount,
  workerFields,
  workerMetrics,
} from "../../../observe/metrics/process-definitions.ts";
import { openFilesMax } from "../../workers/ready-config.ts";
import type { WorkerCounts } from "../../workers/restarts.ts";

/** What runs. */
export interface Build {
  readonly version: string;
  /** With its version. */
  readonly runtime: string;
  /** When the process started, in ms since the epoch. */
  readonly startedMs: number;
}

interface ProcessSource {
  readonly build: Build;
  readonly workers: WorkerCounts;
  readonly metrics: MetricsMemory | undefined;
}

export function writeProcess(out: Exposition, { build, workers, metrics }: ProcessSource): void {
  const { version, runtime, startedMs } = build;
  out.family(processMetrics.build).add({ version, runtime }, 1);
  out.family(processMetrics.workers).add({}, workers.alive);
  out
    .family(processMetrics.replaced)
    .add({ cause: "died" }, workers.died)
    .add({ cause: "hung" }, workers.hung);
  if (metrics !== undefined) writeWorkers(out, metrics);
  const { user, system } = process.cpuUsage();
  out.family(processMetrics.residentBytes).add({}, process.memoryUsage.rss());
  out.family(processMetrics.cpuSeconds).add({}, (user + system) / 1_000_000);
  out.family(processMetrics.startTime).add({}, startedMs / 1_000);
  out.family(processMetrics.openDescriptors).add({}, openDescriptors());
  out.family(processMetrics.maxDescriptors).add({}, openFilesMax());
}

function writeWorkers(out: Exposition, { workers, workerRows }: MetricsMemory): void {
  for (const name of Object.keys(workerMetrics) as WorkerMetric[]) {
    const metric = workerMetrics[name];
    const family = out.family(metric);
    for (let worker = 0; worker < workers; worker += 1) {
      const at = worker * workerFieldCount + workerFields[name];
      const labels = { worker: String(worker) };
      if (metric.type === "histogram") family.addHistogram(labels, workerRows, at);
      else family.add(labels, workerRows[at]);
    }
  }
}

/** Undefined = the system does not say. */
function openDescriptors(): number | undefined {
  try {
    // One of them reads the folder.
    return readdirSync("/proc/self/fd").length - 1;
  } catch {
    return undefined;
  }
}
