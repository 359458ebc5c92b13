/**
 * vLLM-Ascend's MooncakeConnector: NIXL's fields, and an engine whose decode may give a request up in the middle of its answer
 * (`RecomputeScheduler`). Sources: vllm-ascend `kv_p2p/mooncake_connector.py`, `core/recompute_scheduler.py`,
 * `load_balance_proxy_server_example.py`.
 */

import type { Dialect } from "../dialect.ts";
import { vllmNixl } from "../vllm/nixl.ts";
import { continuedResponses } from "./continued-response.ts";

export const vllmAscend: Dialect = {
  ...vllmNixl,
  name: "vllm-ascend",
  // A decode engine whose request goes away before it is scheduled tells the prefill engine nothing: it holds the KV cache for
  // `VLLM_MOONCAKE_ABORT_REQUEST_TIMEOUT`.
  releasesByDecode: false,
  merge: continuedResponses,
};
