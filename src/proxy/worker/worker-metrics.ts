/** What one worker says of itself in metrics: how late its event loop is, its connections, what it holds in memory. */
import { deadlineTickMs } from "../../limits.ts";
import { lagBuckets, observe } from "../../observe/metrics/buckets.ts";
import type { MetricsMemory } from "../../observe/metrics/metrics-memory.ts";
import {
  type WorkerMetric,
  workerFieldCount,
  workerFields,
} from "../../observe/metrics/process-definitions.ts";

/** What is there now. */
export type WorkerGauges = Readonly<
  Record<Exclude<WorkerMetric, "lag" | "accepted" | "rejected">, number>
>;

export class WorkerMetrics {
  readonly #row: Float64Array;
  #tickedMs = -1;

  constructor({ workerRows, worker }: MetricsMemory) {
    const from = worker * workerFieldCount;
    this.#row = workerRows.subarray(from, from + workerFieldCount);
  }

  count(metric: "accepted" | "rejected"): void {
    const at = workerFields[metric];
    this.#row[at] = this.#row[at]! + 1;
  }

  /** To be called every `deadlineTickMs`. */
  tick(nowMs: number, gauges: WorkerGauges): void {
    if (this.#tickedMs >= 0) {
      const lateMs = Math.max(0, nowMs - this.#tickedMs - deadlineTickMs);
      observe(this.#row, workerFields.lag, lagBuckets, lateMs / 1_000);
    }
    this.#tickedMs = nowMs;
    for (const name in gauges) {
      this.#row[workerFields[name as keyof WorkerGauges]] = gauges[name as keyof WorkerGauges];
    }
  }
}
