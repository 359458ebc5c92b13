/**
 * Reads the load that an engine reports: Prometheus text with the metric names of vLLM, SGLang or TensorRT-LLM, or
 * SGLang's `/v1/loads`. Sources: vLLM `v1/metrics/loggers.py`, SGLang `metrics_collector.py` and `io_struct.py`,
 * TensorRT-LLM `metrics/collector.py`.
 */

export interface LoadReport {
  /** Requests that it computes, and requests that wait there. */
  readonly running: number;
  readonly waiting: number;
  /** Share of its KV cache in use, 0 to 1; undefined = it does not report it. */
  readonly kvUse: number | undefined;
}

/** No engine has more requests at a time: a higher number is no count of requests. */
const requestsMax = 1_000_000;

const runningNames = [
  "vllm:num_requests_running",
  "sglang:num_running_reqs",
  "sglang_num_running_reqs",
  "trtllm_num_requests_running",
];
/** SGLang with separate prefill and decode has additional queues. */
const waitingNames = [
  "vllm:num_requests_waiting",
  ...["sglang:", "sglang_"].flatMap((prefix) =>
    [
      "num_queue_reqs",
      "num_prefill_bootstrap_queue_reqs",
      "num_decode_prealloc_queue_reqs",
      "num_decode_transfer_queue_reqs",
    ].map((name) => prefix + name),
  ),
  "trtllm_num_requests_waiting",
];
/** All of them are shares, though one is called a percentage. */
const kvNames = [
  "vllm:kv_cache_usage_perc",
  "vllm:gpu_cache_usage_perc",
  "sglang:token_usage",
  "sglang_token_usage",
  "trtllm_kv_cache_utilization",
];

/**
 * @param rank the data-parallel rank of interest, if one server has several; -1 = all of them
 * @returns undefined = the body has no count of requests, or an impossible one
 */
export function readLoad(body: Buffer, rank: number): LoadReport | undefined {
  const isJson = body[0] === 0x7b;
  const { running, waiting, kv } = isJson ? ofLoads(body, rank) : ofMetrics(body, rank);
  if (running.length === 0) return undefined;
  const report = { running: sum(running), waiting: sum(waiting) };
  const isAbsurd = (count: number) => !(count >= 0 && count <= requestsMax);
  if (isAbsurd(report.running) || isAbsurd(report.waiting)) return undefined;
  const kvUse = kv.length === 0 ? Number.NaN : sum(kv) / kv.length;
  return { ...report, kvUse: kvUse >= 0 && kvUse <= 1 ? kvUse : undefined };
}

/** The values found, one for each rank. */
interface Found {
  readonly running: readonly number[];
  readonly waiting: readonly number[];
  readonly kv: readonly number[];
}

function ofMetrics(body: Buffer, rank: number): Found {
  const all = (names: readonly string[]) => names.flatMap((name) => valuesOf(body, name, rank));
  return { running: all(runningNames), waiting: all(waitingNames), kv: all(kvNames) };
}

const labelled = /^(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?[ \t]+(\S+)/;
const rankLabel = /(?:^|,)\s*(?:engine|dp_rank)="(\d+)"/;

/** Searches for the name instead of parsing: the text has thousands of lines. */
function valuesOf(body: Buffer, name: string, rank: number): number[] {
  const values: number[] = [];
  for (let at = body.indexOf(name); at >= 0; at = body.indexOf(name, at + 1)) {
    if (at > 0 && body[at - 1] !== 0x0a) continue;
    const end = body.indexOf(0x0a, at);
    const line = body.toString("latin1", at + name.length, end < 0 ? body.length : end);
    const [, labels = "", value] = labelled.exec(line) ?? [];
    if (value === undefined) continue;
    const lineRank = rankLabel.exec(labels)?.[1];
    if (rank >= 0 && lineRank !== undefined && Number(lineRank) !== rank) continue;
    values.push(Number(value));
  }
  return values;
}

function ofLoads(body: Buffer, rank: number): Found {
  const found = { running: [] as number[], waiting: [] as number[], kv: [] as number[] };
  for (const load of loadsOf(body)) {
    if (typeof load !== "object" || load === null) continue;
    const members = load as Readonly<Record<string, unknown>>;
    const { dp_rank, num_running_reqs, num_waiting_reqs, token_usage } = members;
    if (rank >= 0 && typeof dp_rank === "number" && dp_rank !== rank) continue;
    if (typeof num_running_reqs === "number") found.running.push(num_running_reqs);
    if (typeof num_waiting_reqs === "number") found.waiting.push(num_waiting_reqs);
    if (typeof token_usage === "number") found.kv.push(token_usage);
  }
  return found;
}

function loadsOf(body: Buffer): readonly unknown[] {
  try {
    const { loads } = JSON.parse(body.toString()) as { readonly loads?: unknown };
    return Array.isArray(loads) ? loads : [];
  } catch {
    return [];
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
