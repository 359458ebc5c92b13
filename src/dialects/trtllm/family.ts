/** TensorRT-LLM: what its servers show of themselves, and what is asked of them while they serve. */

import type { EngineFamily } from "../definition.ts";
import type { EngineProbe } from "../dialect.ts";
import { memberBytes, scalarText, textMembers } from "../shared/json-texts.ts";

export const trtllmFamily: EngineFamily = {
  name: "trtllm",
  title: "TensorRT-LLM",
  owners: ["tensorrt_llm", "trtllm"],
};

/**
 * The context server: where generation servers ask for its ranks (the first of a list), and its rank, if it has only
 * one. Only its Python transceiver says so, and only that one can be asked for KV before it is computed. Source:
 * TensorRT-LLM, `_torch/pyexecutor/kv_cache_transceiver.py`, `serve/openai_disagg_service.py`.
 */
export const trtllmServerInfo: EngineProbe = {
  legs: ["prefill"],
  path: "/server_info",
  needs: ["ctx_info_endpoint"],
  discovered: (response) => {
    const params = memberBytes(response, "disaggregated_params");
    if (params === undefined) return {};
    const endpoint = memberBytes(params, "ctx_info_endpoint")?.toString() ?? "";
    const [, first] = /^\[\s*("(?:[^"\\]|\\.)*")/.exec(endpoint) ?? [];
    const text = scalarText(first ?? endpoint);
    const rank = textMembers(params, ["ctx_dp_rank"]);
    return text === undefined ? rank : { ctx_info_endpoint: text, ...rank };
  },
};
