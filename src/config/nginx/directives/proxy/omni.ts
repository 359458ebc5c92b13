/**
 * omni_proxy's directives: one in a location replaces `prefill`, `proxy_pass`, the dialect and the policies of both
 * upstreams.
 */
import { flag, number, oneOf, reading, text } from "../../reading/arguments.ts";
import type { Context } from "../../reading/context.ts";
import { type Directive, honoured, ignored } from "../../reading/directive.ts";
import type { Scope } from "../../reading/scope.ts";
import { parseNumber } from "../../reading/units.ts";
import type { Word } from "../../syntax/lexer.ts";

const here: readonly Context[] = ["location"];

/** The upstream of prefill engines. No directive names it. */
export const omniPrefillUpstream = "prefill_endpoints";

export const omniProxy: Directive<Word> = honoured(
  "omni_proxy",
  here,
  reading(1, 1, ([word]) => word!),
  "`target`, `prefill` and the policies of both",
  {
    note:
      `It names the upstream of decode engines. Prefill goes to the upstream \`${omniPrefillUpstream}\`. ` +
      "Both upstreams have the policy `omni_proxy` unless they name another.",
  },
);

const pdPolicies = ["sequential", "parallel", "aggregation"] as const;

export const omniPdPolicy = honoured(
  "omni_proxy_pd_policy",
  here,
  oneOf(...pdPolicies),
  "`dialect`",
  {
    byDefault: "`sequential`",
    note:
      "`sequential` is the dialect `omni`, or that of `pd_dialect`; `parallel` is `sglang`; " +
      "`aggregation` has no prefill.",
  },
);

export const omniAlgo = honoured(
  "omni_proxy_schedule_algo",
  here,
  oneOf("default", "earliest_batch"),
  "`policy.algo` of the prefill upstream",
  { byDefault: "`default`" },
);

const positive = reading(1, 1, ([word], scope: Scope) => {
  return parseNumber(word!.text) || scope.fail(`"${scope.name}" directive invalid number`, word);
});

export const omniMaxBatchNumToken = honoured(
  "omni_proxy_max_batch_num_token",
  here,
  positive,
  "`policy.maxBatchNumToken` of the prefill upstream",
  { byDefault: "32000" },
);
export const omniPrefillMaxNumSeqs = honoured(
  "omni_proxy_prefill_max_num_seqs",
  here,
  positive,
  "`policy.maxNumSeqs` of the prefill upstream",
  { byDefault: "32" },
);
export const omniDecodeMaxNumSeqs = honoured(
  "omni_proxy_decode_max_num_seqs",
  here,
  positive,
  "`policy.maxNumSeqs` of the decode upstream",
  { byDefault: "32" },
);

export const omniMetrics = honoured("omni_proxy_metrics", here, flag, "`page: omni_metrics`", {
  byDefault: "`off`",
});
export const omniHealthStatus = honoured(
  "omni_proxy_health_status",
  here,
  flag,
  "`page: omni_health`",
  { byDefault: "`off`" },
);
export const omniBroadcast = honoured(
  "omni_proxy_broadcast",
  here,
  oneOf("on"),
  "`page: omni_broadcast`",
  { byDefault: "`off`" },
);

const notOrdered = "requests are placed in the order of their arrival";

export const omniDirectives: readonly Directive[] = [
  omniProxy,
  omniPdPolicy,
  omniAlgo,
  omniMaxBatchNumToken,
  omniPrefillMaxNumSeqs,
  omniDecodeMaxNumSeqs,
  omniMetrics,
  omniHealthStatus,
  omniBroadcast,
  ignored("omni_proxy_model_path", here, text, "tokens are estimated from bytes"),
  ignored(
    "omni_proxy_vllm_kv_port_offset",
    here,
    number,
    "caches are estimated from the prompts that engines were sent",
  ),
  ignored("omni_proxy_max_tokens_weight", here, number, notOrdered),
  ignored("omni_proxy_prefill_starvation_timeout", here, number, notOrdered),
  ignored("omni_proxy_max_request_slots", ["http"], number, "requests take no slots"),
  ignored("prefill_pod_size", here, number, "pods are not counted"),
  ignored("decode_pod_size", here, number, "pods are not counted"),
];
