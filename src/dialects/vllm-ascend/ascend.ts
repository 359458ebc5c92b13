/**
 * vLLM-Ascend's MooncakeConnector: NIXL's fields, and an engine whose decode may preempt a request in the middle of
 * its response (`RecomputeScheduler`). Sources: vllm-ascend `kv_p2p/mooncake_connector.py`,
 * `core/recompute_scheduler.py`, `load_balance_proxy_server_example.py`.
 */

import { defineDialect } from "../dialect.ts";
import { continued } from "../shared/continued/continued.ts";
import { vllmNixl } from "../vllm/nixl.ts";
import { vllmResponses } from "../vllm/responses.ts";

/** All but what shows that an engine is NIXL's. */
const { detection: _, ...likeNixl } = vllmNixl;

export const vllmAscend = defineDialect({
  ...likeNixl,
  name: "vllm-ascend",
  summary: "vLLM-Ascend with MooncakeConnector: as vllm-nixl, and continues preempted responses",
  page: "vllm-ascend",
  overview: {
    prefill: "as `vllm-nixl`",
    decode: "as `vllm-nixl`; a preempted response is continued in the same stream",
    idsFrom: "engine",
  },
  // If a decode request is aborted before it is scheduled, the prefill engine does not hear of it and holds the KV
  // cache for `VLLM_MOONCAKE_ABORT_REQUEST_TIMEOUT`.
  release: {
    by: "fetching-decode",
    how: "a request for one token, which fetches it",
    lease: "480 s (`VLLM_MOONCAKE_ABORT_REQUEST_TIMEOUT`)",
  },
  merge: continued(vllmResponses, false),
});
