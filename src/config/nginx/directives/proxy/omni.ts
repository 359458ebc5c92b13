/** omni_proxy's directives: one in a location stands for `prefill`, `proxy_pass`, the dialect and the policies of both upstreams. */
import { number, oneOf, reading, text } from "../../reading/arguments.ts";
import type { Context } from "../../reading/context.ts";
import { type Directive, honoured, ignored } from "../../reading/directive.ts";
import type { Scope } from "../../reading/scope.ts";
import { parseNumber } from "../../reading/units.ts";
import type { Word } from "../../syntax/lexer.ts";

const here: readonly Context[] = ["location"];

/** The upstream of prefill engines, which has no directive of its own. */
export const omniPrefillUpstream = "prefill_endpoints";

export const omniProxy: Directive<Word> = honoured(
  "omni_proxy",
  here,
  reading(1, 1, ([word]) => word!),
  `\`target\`: an upstream of decode engines; \`prefill\` goes to the upstream \`${omniPrefillUpstream}\`. Either has the policy \`omni_proxy\` unless it says another`,
);

const pdPolicies = ["sequential", "parallel", "aggregation"] as const;

export const omniPdPolicy = honoured(
  "omni_proxy_pd_policy",
  here,
  oneOf(...pdPolicies),
  "`sequential`: the dialect is `omni`, or what `pd_dialect` says; `parallel`: `sglang`; `aggregation`: no prefill; sequential",
);

export const omniAlgo = honoured(
  "omni_proxy_schedule_algo",
  here,
  oneOf("default", "earliest_batch"),
  "`policy.algo` of the prefill upstream; default",
);

const positive = reading(1, 1, ([word], scope: Scope) => {
  return parseNumber(word!.text) || scope.fail(`"${scope.name}" directive invalid number`, word);
});

export const omniMaxBatchNumToken = honoured(
  "omni_proxy_max_batch_num_token",
  here,
  positive,
  "`policy.maxBatchNumToken` of the prefill upstream; 32000",
);
export const omniPrefillMaxNumSeqs = honoured(
  "omni_proxy_prefill_max_num_seqs",
  here,
  positive,
  "`policy.maxNumSeqs` of the prefill upstream; 32",
);
export const omniDecodeMaxNumSeqs = honoured(
  "omni_proxy_decode_max_num_seqs",
  here,
  positive,
  "`policy.maxNumSeqs` of the decode upstream; 32",
);

const notOrdered = "requests are placed as they come, as they were there";

export const omniDirectives: readonly Directive[] = [
  omniProxy,
  omniPdPolicy,
  omniAlgo,
  omniMaxBatchNumToken,
  omniPrefillMaxNumSeqs,
  omniDecodeMaxNumSeqs,
  ignored("omni_proxy_model_path", here, text, "tokens are estimated from bytes"),
  ignored(
    "omni_proxy_vllm_kv_port_offset",
    here,
    number,
    "what engines have cached is told from the prompts that they were sent",
  ),
  ignored("omni_proxy_max_tokens_weight", here, number, notOrdered),
  ignored("omni_proxy_prefill_starvation_timeout", here, number, notOrdered),
  ignored("prefill_pod_size", here, number, "pods are not counted"),
  ignored("decode_pod_size", here, number, "pods are not counted"),
];
