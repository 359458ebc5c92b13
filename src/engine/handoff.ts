/** What an engine of a given role does with a request: prefill for another, fetch from another, or all by itself. */

import { fingerprintKey, type InferenceRequest, type KvSource } from "./openai.ts";
import type { EngineRole } from "./options.ts";
import { blockTokens } from "./prefix-cache.ts";

/** Why a decode engine computed a prompt that a prefill engine was there for. */
export type RecomputeReason =
  | "missing_params"
  | "wrong_prompt"
  | "unknown"
  | "mangled_params"
  | "fetch_failed";

export type Plan =
  | { readonly do: "prefill-and-hold"; readonly violation: boolean }
  | { readonly do: "fetch"; readonly source: KvSource }
  | { readonly do: "recompute"; readonly reason: RecomputeReason }
  | { readonly do: "alone"; readonly violation: boolean };

export function planFor(role: EngineRole, request: InferenceRequest): Plan {
  const params = request.kvTransferParams;
  if (role === "prefill") return planPrefill(request);
  if (role === "decode" || params?.doRemotePrefill) {
    return params?.doRemotePrefill && params.source !== undefined
      ? { do: "fetch", source: params.source }
      : { do: "recompute", reason: "missing_params" };
  }
  // A mixed engine also serves one-token requests of its own, so it holds KV only when it is told to.
  return params?.doRemoteDecode ? planPrefill(request) : { do: "alone", violation: false };
}

/** With n above 1 the first choice to end would free the blocks under the others (vLLM RFC 39647). */
function planPrefill(request: InferenceRequest): Plan {
  return !request.stream && request.lengths.maxTokens === 1
    ? { do: "prefill-and-hold", violation: request.n > 1 }
    : { do: "alone", violation: true };
}

/** A hand-off as a NIXL engine words it, as JSON, because of the digits beyond 2^53. */
export function kvTransferParamsJson(source: KvSource, tokens: number, firstBlock: number): string {
  const blocks = Array.from(
    { length: Math.ceil(tokens / blockTokens) },
    (_, index) => firstBlock + index,
  );
  return (
    `{"do_remote_prefill":true,"do_remote_decode":false,"remote_block_ids":[[${blocks.join(",")}]],` +
    `"remote_engine_id":${JSON.stringify(source.engineId)},` +
    `"remote_request_id":${JSON.stringify(source.requestId)},` +
    `"remote_host":${JSON.stringify(source.host)},"remote_port":${source.port},"tp_size":1,` +
    `"remote_num_tokens":${tokens},"${fingerprintKey}":${source.fingerprint}}`
  );
}
