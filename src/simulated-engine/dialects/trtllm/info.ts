/** What a TensorRT-LLM server reports on its HTTP port, besides `/health` and `/version`. */

import type { RouteTable } from "../../http/route-table.ts";
import type { EngineContext } from "../dialect.ts";

export function infoRoutes(engine: EngineContext): RouteTable {
  return {
    "GET /server_info": () => ({ status: 200, json: JSON.stringify(serverInfo(engine)) }),
    // Statistics of iterations, as JSON; empty, as without `enable_iter_perf_stats`.
    "GET /metrics": () => ({ status: 200, json: "[]" }),
    // Metrics of single requests; empty, as without `return_perf_metrics`.
    "GET /perf_metrics": () => ({ status: 200, json: "[]" }),
    "GET /prometheus/metrics": () => ({
      status: 200,
      json: metrics(engine),
      contentType: "text/plain; version=0.0.4; charset=utf-8",
    }),
  };
}

/** Only context servers have an endpoint for KV: their side port. */
function serverInfo({ role, address }: EngineContext): object {
  if (role === "decode") return { disaggregated_params: {} };
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  const endpoint = `tcp://${host}:${address.sidePort}`;
  return { disaggregated_params: { ctx_dp_rank: 0, ctx_info_endpoint: [endpoint] } };
}

function metrics({ load, kvUsage, options }: EngineContext): string {
  const labels = `{model_name=${JSON.stringify(options.model)},engine_type="trtllm"}`;
  const gauges = [
    ["trtllm_num_requests_running", load.running],
    ["trtllm_num_requests_waiting", load.waiting],
    ["trtllm_kv_cache_utilization", kvUsage],
  ] as const;
  return gauges
    .map(([name, value]) => `# TYPE ${name} gauge\n${name}${labels} ${value}\n`)
    .join("");
}
