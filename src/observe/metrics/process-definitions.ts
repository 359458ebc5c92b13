/** Metrics of the process and its workers. */
import { histogramFields, lagBuckets } from "./buckets.ts";
import { conventional, counter, gauge, histogram, type Metric } from "./definition.ts";

const byWorker = ["worker"] as const;

/** What each worker writes into a row of its own. */
export const workerMetrics = {
  lag: histogram(
    "worker_event_loop_lag_seconds",
    byWorker,
    lagBuckets,
    "How late the tick of the worker's event loop is, which is due ten times a second.",
  ),
  connections: gauge("client_connections", byWorker, "Client connections that are open."),
  accepted: counter(
    "client_connections_accepted",
    byWorker,
    "Client connections that were accepted.",
  ),
  rejected: counter(
    "client_connections_rejected",
    byWorker,
    "Client connections that were closed at once: the worker has connectionsMax, or drains.",
  ),
  idleConnections: gauge(
    "engine_connections_idle",
    byWorker,
    "Connections to engines that are kept for the next request.",
  ),
  bodyBytes: gauge(
    "held_body_bytes",
    byWorker,
    "Bytes of request bodies, and of responses that are held back (bodyBytesTotalMax).",
  ),
  unsentBytes: gauge(
    "unsent_bytes",
    byWorker,
    "Bytes of responses that clients have not read yet.",
  ),
} as const;

export type WorkerMetric = keyof typeof workerMetrics;

/** Where each of them stands in the row. */
export const workerFields: Readonly<Record<WorkerMetric, number>> = fieldsOf(workerMetrics);
export const workerFieldCount: number = Object.values<Metric>(workerMetrics).reduce(
  (sum, metric) => sum + fieldCount(metric),
  0,
);

function fieldCount({ buckets }: Metric): number {
  return buckets === undefined ? 1 : histogramFields(buckets);
}

function fieldsOf<Name extends string>(
  metrics: Readonly<Record<Name, Metric>>,
): Record<Name, number> {
  let at = 0;
  const fields = {} as Record<Name, number>;
  for (const name of Object.keys(metrics) as Name[]) {
    fields[name] = at;
    at += fieldCount(metrics[name]);
  }
  return fields;
}

export const processMetrics = {
  build: gauge("build_info", ["version", "runtime"], "1, with the version and the runtime."),
  workers: gauge("workers", [], "Workers that are alive."),
  replaced: counter(
    "workers_replaced",
    ["cause"],
    "Workers that had to be replaced, by what had become of them.",
  ),
  residentBytes: conventional(
    "process_resident_memory_bytes",
    "gauge",
    [],
    "Resident memory of the process.",
  ),
  cpuSeconds: conventional(
    "process_cpu_seconds_total",
    "counter",
    [],
    "User and system time of the process.",
  ),
  startTime: conventional(
    "process_start_time_seconds",
    "gauge",
    [],
    "When the process started, since the epoch.",
  ),
  openDescriptors: conventional("process_open_fds", "gauge", [], "Open file descriptors (Linux)."),
  maxDescriptors: conventional(
    "process_max_fds",
    "gauge",
    [],
    "Most file descriptors that the process may open (Linux).",
  ),
} as const;
