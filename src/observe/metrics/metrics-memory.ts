/**
 * Where workers count metrics, in shared memory beside the scoreboard: rows by route and model, of requests by outcome
 * and status, and of tenants; and a row for each worker itself. Each worker writes only its own; the main thread only
 * reads.
 */

import { metricRowsMax, outcomeRowsMax, tenantRowsMax } from "../../limits.ts";
import { SeriesRows, type SeriesSize, seriesRowsLength } from "../../scoreboard/series-rows.ts";
import { histogramFields } from "./buckets.ts";
import {
  type WorkerMetric,
  workerFieldCount,
  workerFields,
  workerMetrics,
} from "./process-definitions.ts";
import { requestHistograms, requestTotals, tokenSources } from "./request-definitions.ts";

type HistogramName = keyof typeof requestHistograms;
type TotalName = keyof typeof requestTotals;

/** One number for each source of a total, else one. */
export function sourcesOf(total: TotalName): readonly string[] {
  return total === "promptTokens" || total === "outputTokens" ? tokenSources[total] : [""];
}

/** Where each metric stands in a row by route and model, and how many numbers the row has. */
function layOut() {
  const fields = {} as Record<HistogramName | TotalName, number>;
  let at = 0;
  for (const [name, { buckets }] of Object.entries(requestHistograms)) {
    fields[name as HistogramName] = at;
    at += histogramFields(buckets);
  }
  for (const name of Object.keys(requestTotals) as TotalName[]) {
    fields[name] = at;
    at += sourcesOf(name).length;
  }
  return { fields, count: at };
}

const layout = layOut();
export const rowFields: Readonly<Record<HistogramName | TotalName, number>> = layout.fields;

/** Where each number stands in a row by tenant and outcome. */
export const tenantFields = { requests: 0, promptTokens: 1, outputTokens: 2 } as const;

/** The row for what has no row of its own any more. */
export const otherLabel = "other";

export class MetricsMemory {
  readonly workers: number;
  readonly worker: number;
  /** Labels: route, model. */
  readonly rows: SeriesRows;
  /** Labels: route, model, outcome, status. */
  readonly outcomes: SeriesRows;
  /** Labels: tenant, outcome. */
  readonly tenants: SeriesRows;
  /** Rows of `workerFields`, one for each worker. */
  readonly workerRows: Float64Array;

  /** @param worker whose rows this instance writes, from 0 */
  constructor(memory: SharedArrayBuffer, workers: number, worker: number) {
    const { rows, outcomes, tenants, byteLengths } = sizesOf(workers);
    this.workers = workers;
    this.worker = worker;
    this.rows = new SeriesRows(memory, 0, rows, worker);
    this.outcomes = new SeriesRows(memory, byteLengths.rows, outcomes, worker);
    const tenantsAt = byteLengths.rows + byteLengths.outcomes;
    this.tenants = new SeriesRows(memory, tenantsAt, tenants, worker);
    const at = tenantsAt + byteLengths.tenants;
    this.workerRows = new Float64Array(memory, at, workers * workerFieldCount);
  }

  /** The worker is dead: what it has counted stays, what it had does not. */
  closeRow(worker: number): void {
    for (const [name, field] of Object.entries(workerFields)) {
      if (workerMetrics[name as WorkerMetric].type !== "gauge") continue;
      this.workerRows[worker * workerFieldCount + field] = 0;
    }
  }
}

/** The memory of all workers; hand it to each. */
export function createMetricsMemory(workers: number): SharedArrayBuffer {
  const { rows, outcomes, tenants, workerRows } = sizesOf(workers).byteLengths;
  return new SharedArrayBuffer(rows + outcomes + tenants + workerRows);
}

function sizesOf(workers: number) {
  const rows: SeriesSize = { workers, rows: metricRowsMax, fields: layout.count };
  const outcomes: SeriesSize = { workers, rows: outcomeRowsMax, fields: 1 };
  const fields = Object.keys(tenantFields).length;
  const tenants: SeriesSize = { workers, rows: tenantRowsMax, fields };
  return {
    rows,
    outcomes,
    tenants,
    byteLengths: {
      rows: seriesRowsLength(rows),
      outcomes: seriesRowsLength(outcomes),
      tenants: seriesRowsLength(tenants),
      workerRows: workers * workerFieldCount * 8,
    },
  };
}
