/** Directives of the original: prefill, request ids, length_balance. */
import { routeDialects } from "../../dialects.ts";
import { flag, number, oneOf, reading } from "../arguments.ts";
import { anyHttp, type Directive, honoured, ignored, refused } from "../directive.ts";
import { parseNumber } from "../units.ts";

export const prefill = honoured(
  "prefill",
  anyHttp,
  reading(1, 1, ([word], scope) => {
    const { text: location } = word!;
    if (location === "" || location.startsWith("/")) return location;
    return scope.fail(`the location "${location}" of "prefill" does not begin with "/"`, word);
  }),
  "`prefill.location`: where the prefill request is routed; an empty one turns an inherited one off",
);

export const encode = honoured(
  "pd_encode",
  anyHttp,
  reading(1, 1, ([word], scope) => {
    const { text: location } = word!;
    if (location === "" || location.startsWith("/")) return location;
    return scope.fail(`the location "${location}" of "pd_encode" does not begin with "/"`, word);
  }),
  "`encode.location`: where images and the like are encoded before the prefill; an empty one turns an inherited one off",
);

export const pdDialect = honoured(
  "pd_dialect",
  anyHttp,
  oneOf(...routeDialects),
  "`dialect`; omni",
);
export const onPrefillFailure = honoured(
  "on_prefill_failure",
  anyHttp,
  oneOf("error", "decode_only"),
  "`onPrefillFailure`; error",
);
export const prefillMinTokens = honoured(
  "prefill_min_tokens",
  anyHttp,
  reading(1, 1, ([word], scope) => {
    const count = parseNumber(word!.text);
    if (count !== undefined && count <= 1_000_000_000) return count;
    return scope.fail(`invalid value "${word!.text}" in "prefill_min_tokens" directive`, word);
  }),
  "`prefillMinTokens`; 0",
);

export const setRequestId = honoured("set_request_id", anyHttp, flag, "`requestId`; off");

export const lengthBalanceMergeThreshold = honoured(
  "length_balance_merge_threshold",
  ["upstream"],
  reading(1, 1, ([word], scope) => {
    const count = parseNumber(word!.text) ?? 0;
    return count >= 1 ? count : scope.fail(`"${scope.name}" directive invalid number`, word);
  }),
  "`policy.mergeThreshold`; 32",
);
export const lengthBalanceDecayFactor = honoured(
  "length_balance_decay_factor",
  ["upstream"],
  lengthBalanceMergeThreshold.args,
  "`policy.decayFactor`; 2",
);
export const lengthBalanceReqLenWeight = honoured(
  "length_balance_req_len_weight",
  ["upstream"],
  reading(1, 1, ([word], scope) => {
    const weight = /^\d+(\.\d*)?$|^\.\d+$/.test(word!.text) ? Number(word!.text) : Number.NaN;
    return Number.isFinite(weight)
      ? weight
      : scope.fail(`"${scope.name}" directive invalid number`, word);
  }),
  "`policy.requestLengthWeight`; 1.0",
);

const useScores = "use length_balance or least_conn";
const usePrefill = "use prefill, with one upstream per role";

/** The original's other balancing policies and its successor: their systems are not built yet. */
export const prefillDirectives: readonly Directive[] = [
  prefill,
  encode,
  pdDialect,
  onPrefillFailure,
  prefillMinTokens,
  setRequestId,
  lengthBalanceMergeThreshold,
  lengthBalanceDecayFactor,
  lengthBalanceReqLenWeight,
  refused("greedy_timeout", useScores),
  refused("greedy_timeout_warmup", useScores),
  refused("greedy_timeout_exp", useScores),
  refused("greedy_timeout_shm_size", useScores),
  refused("prefill_score_balance", useScores),
  refused("prefill_score_shm_size", useScores),
  refused("weighted_least_active", "use least_conn"),
  refused("weighted_least_active_shm_size", "use least_conn"),
  refused("pd_score_balance", useScores),
  refused("pd_score_balance_decode_req_limit", "use max_conns of server"),
  refused("pd_score_balance_max_num_seqs", "use max_conns of server"),
  refused("pd_score_balance_shm_size", useScores),
  refused("least_total_load", useScores, ["off"]),
  refused("least_total_load_batch_size", useScores),
  refused("auto_balance_controller", useScores, ["off"]),
  refused("auto_balance_controller_batch_size", useScores),
  refused("prefix_cache_affinity", "use hash with a key that sessions share", ["off"]),
  refused("prefix_cache_affinity_block_size"),
  refused("prefix_cache_affinity_dict_size"),
  refused("prefill_refactor", usePrefill),
  refused("prefill_servers_list", usePrefill),
  refused("decode_servers_list", usePrefill),
  refused("bootstrap_ports_list"),
  refused("pd_backend", "", ["vllm"]),
  refused("pd_distribution", usePrefill),
  refused("stream_ops", "", ["off"]),
  refused("set_trace_headers_force", "", ["off"]),
  refused("enable_internal_metrics"),
  refused("omni_proxy", usePrefill),
  refused("omni_proxy_pd_policy", usePrefill),
  refused("omni_proxy_model_path"),
  refused("omni_proxy_vllm_kv_port_offset"),
  refused("omni_proxy_max_batch_num_token"),
  refused("omni_proxy_prefill_max_num_seqs", "use max_conns of server"),
  refused("omni_proxy_decode_max_num_seqs", "use max_conns of server"),
  refused("omni_proxy_max_tokens_weight"),
  refused("omni_proxy_prefill_starvation_timeout"),
  refused("omni_proxy_schedule_algo"),
  refused("omni_proxy_metrics"),
  refused("omni_proxy_health_status"),
  refused("omni_proxy_broadcast"),
  refused("omni_proxy_prefill_groups"),
  refused("omni_proxy_decode_groups"),
  ignored("prefill_pod_size", ["location"], number, "pods are not counted"),
  ignored("decode_pod_size", ["location"], number, "pods are not counted"),
];
