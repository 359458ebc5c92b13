/** What can be asked of engines that no request tells: one probe for each thing that dialects need. */
import { KeyName } from "../../body/json/key-name.ts";
import { memberValue } from "../../body/json/member-value.ts";
import type { EngineProbe } from "../dialect.ts";

const bootstrapPort = { attribute: "bootstrap_port", otherwise: 8998 } as const;

/**
 * SGLang's bootstrap server on a prefill engine: 503 until all ranks are registered, then the number of data-parallel ranks.
 * Source: sglang, disaggregation/common/conn.py.
 */
export const sglangRoute: EngineProbe = {
  legs: ["prefill"],
  path: "/route?prefill_dp_rank=-1&prefill_cp_rank=-1&target_tp_rank=-1&target_pp_rank=-1",
  port: bootstrapPort,
  discovered: (response) => textMembers(response, ["dp_size"]),
};

/** SGLang's engine itself: the port of its bootstrap server. */
export const sglangServerInfo: EngineProbe = {
  legs: ["prefill"],
  path: "/server_info",
  discovered: (response) => {
    const { disaggregation_bootstrap_port: port } = textMembers(response, [
      "disaggregation_bootstrap_port",
    ]);
    return port === undefined ? {} : { bootstrap_port: port };
  },
};

/**
 * vLLM's Mooncake connector: `{"<rank>": {"engine_id": …}}`, another id with each start of the engine.
 * Source: vllm, examples/disaggregated/mooncake_connector/mooncake_connector_proxy.py.
 */
export const mooncakeQuery: EngineProbe = {
  legs: ["prefill"],
  path: "/query",
  port: bootstrapPort,
  needs: ["engine_id"],
  discovered: (response, { dpRank }) => {
    const rank = memberBytes(response, `${Math.max(dpRank, 0)}`);
    return rank === undefined ? {} : textMembers(rank, ["engine_id"]);
  },
};

/**
 * TensorRT-LLM's context server: where generation servers ask for its ranks (the first of a list), and its rank, where it has but one.
 * Only its Python transceiver tells them, and only that one can be asked for KV before it is computed. Source: TensorRT-LLM,
 * `_torch/pyexecutor/kv_cache_transceiver.py`, `serve/openai_disagg_service.py`.
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

/** The members of a JSON object that are texts or numbers, as texts: a number keeps all its digits. */
export function textMembers(json: Buffer, names: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of names) {
    const value = memberBytes(json, name);
    const text = value && scalarText(value.toString());
    if (text !== undefined) found[name] = text;
  }
  return found;
}

function memberBytes(json: Buffer, name: string): Buffer | undefined {
  const span = memberValue(json, new KeyName(name));
  return span && json.subarray(span.start, span.end);
}

/** Undefined for what is neither, and for texts that no header or body could carry as they are. */
function scalarText(json: string): string | undefined {
  if (/^-?\d/.test(json)) return json;
  if (!json.startsWith('"')) return undefined;
  const text: unknown = JSON.parse(json);
  const fits = typeof text === "string" && text !== "" && !/[^\x20-\x7e]/.test(text);
  return fits ? text : undefined;
}
