/**
 * Engines say their load in pages of thousands of lines, under names of their own; what is no load must not be taken
 * for one.
 */
import fc from "fast-check";
import { expect, it, test } from "vitest";
import { readLoad } from "../../../src/control/polling/load-report.ts";
import { EngineMetrics } from "../../../src/simulated-engine/core/metrics.ts";

const read = (text: string, rank = -1) => readLoad(Buffer.from(text), rank);

const vllmRanks = `# HELP vllm:num_requests_running Number of requests
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="a}b\\"c,engine=\\"7\\""} 3.0
vllm:num_requests_running{engine="1",model_name="m"} 5.0
vllm:num_requests_waiting{engine="0",model_name="m"} 1.0
vllm:num_requests_waiting{engine="1",model_name="m"} 0.0
vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 99.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.5
vllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.25
`;
const sglang = `sglang:num_running_reqs{model_name="m",tp_rank="0"} 4.0
sglang:num_queue_reqs{model_name="m"} 2.0
sglang:num_prefill_bootstrap_queue_reqs{model_name="m"} 6.0
sglang:token_usage{model_name="m"} 0.125
`;
const trtllm = `trtllm_num_requests_running{model_name="m",engine_type="trtllm"} 2
trtllm_num_requests_waiting{model_name="m",engine_type="trtllm"} 7
trtllm_kv_cache_utilization{model_name="m",engine_type="trtllm"} 1`;
const loads = JSON.stringify({
  loads: [
    { dp_rank: 0, num_running_reqs: 1, num_waiting_reqs: 2, token_usage: 0.5 },
    { dp_rank: 1, num_running_reqs: 10, num_waiting_reqs: 20, token_usage: 0.75 },
    null,
  ],
});

test.each([
  ["vLLM, all ranks", vllmRanks, -1, { running: 8, waiting: 1, kvUse: 0.375 }],
  ["vLLM, one rank", vllmRanks, 1, { running: 5, waiting: 0, kvUse: 0.25 }],
  [
    "vLLM before v1",
    "vllm:num_requests_running 1\nvllm:gpu_cache_usage_perc 0.5\n",
    -1,
    { running: 1, waiting: 0, kvUse: 0.5 },
  ],
  ["SGLang, with its bootstrap queue", sglang, -1, { running: 4, waiting: 8, kvUse: 0.125 }],
  ["TensorRT-LLM, without a last line end", trtllm, -1, { running: 2, waiting: 7, kvUse: 1 }],
  ["/v1/loads", loads, -1, { running: 11, waiting: 22, kvUse: 0.625 }],
  ["/v1/loads of a rank", loads, 1, { running: 10, waiting: 20, kvUse: 0.75 }],
  [
    "a KV use that is no share",
    "vllm:num_requests_running 1\nvllm:kv_cache_usage_perc 37.5\n",
    -1,
    { running: 1, waiting: 0, kvUse: undefined },
  ],
])("%s", (_, text, rank, expected) => {
  expect(read(text, rank)).toEqual(expected);
});

test.each([
  "",
  "{}",
  "[]",
  "{",
  '{"loads":{}}',
  '{"loads":[{"num_running_reqs":"3"}]}',
  "Not Found",
  "vllm:num_requests_waiting 3\n",
  "vllm:num_requests_running NaN\n",
  "vllm:num_requests_running -1\n",
  "vllm:num_requests_running 1e9\n",
  "vllm:num_requests_running{engine=\n",
  "# vllm:num_requests_running 3\n",
])("no load: %j", (text) => {
  expect(read(text)).toBeUndefined();
});

it("reads what the simulated engine says", () => {
  const gauges = { running: 3, waiting: 2, kvUsage: 0.25, blockTokens: 16, blocks: 100 };
  const page = new EngineMetrics().render('a "model"\\', gauges);
  expect(read(page)).toEqual({ running: 3, waiting: 2, kvUse: 0.25 });
  expect(read(page, 0)).toEqual(read(page));
});

it("whatever an engine says, it is read as counts that can be, or not at all", () => {
  const pieces = fc.constantFrom(
    "vllm:num_requests_running",
    "sglang:num_queue_reqs",
    '{a="',
    '"}',
    " ",
    "\n",
    "1e300",
    "-3",
    "5",
    "{",
    '{"loads":[',
    '{"num_running_reqs":',
    "}]}",
  );
  fc.assert(
    fc.property(
      fc.array(fc.oneof(pieces, fc.string())),
      fc.integer({ min: -1, max: 3 }),
      (parts, rank) => {
        const load = read(parts.join(""), rank);
        if (load === undefined) return;
        expect(load.running).toBeGreaterThanOrEqual(0);
        expect(load.waiting).toBeGreaterThanOrEqual(0);
        expect(load.running + load.waiting).toBeLessThanOrEqual(2_000_000);
      },
    ),
  );
});
