/** Directives of P/D: where prefill and encode go, and how the KV cache is transferred. */
import { routeDialects } from "../../../schema/dialects.ts";
import { flag, oneOf, reading, size } from "../../reading/arguments.ts";
import { anyHttp } from "../../reading/context.ts";
import { type Directive, honoured, rejected } from "../../reading/directive.ts";
import { parseNumber } from "../../reading/units.ts";
import { omniDirectives } from "./omni.ts";

export const prefill = honoured(
  "prefill",
  anyHttp,
  reading(1, 1, ([word], scope) => {
    const { text: location } = word!;
    if (location === "" || location.startsWith("/")) return location;
    return scope.fail(`the location "${location}" of "prefill" must begin with "/"`, word);
  }),
  "`prefill.location`",
  {
    byDefault: "none",
    note: 'The location that the prefill request is routed to; "" turns an inherited one off.',
  },
);

export const encode = honoured(
  "pd_encode",
  anyHttp,
  reading(1, 1, ([word], scope) => {
    const { text: location } = word!;
    if (location === "" || location.startsWith("/")) return location;
    return scope.fail(`the location "${location}" of "pd_encode" must begin with "/"`, word);
  }),
  "`encode.location`",
  {
    byDefault: "none",
    note: 'The location that images, audio and video are routed to before the prefill; "" turns an inherited one off.',
  },
);

export const pdDialect = honoured("pd_dialect", anyHttp, oneOf(...routeDialects), "`dialect`", {
  byDefault: "`omni`",
});
export const onPrefillFailure = honoured(
  "on_prefill_failure",
  anyHttp,
  oneOf("error", "decode_only"),
  "`onPrefillFailure`",
  { byDefault: "`error`" },
);
export const prefillMinTokens = honoured(
  "prefill_min_tokens",
  anyHttp,
  reading(1, 1, ([word], scope) => {
    const count = parseNumber(word!.text);
    if (count !== undefined && count <= 1_000_000_000) return count;
    return scope.fail(`invalid value "${word!.text}" in "prefill_min_tokens" directive`, word);
  }),
  "`prefillMinTokens`",
  { byDefault: "0" },
);

export const explain = honoured("pd_explain", anyHttp, flag, "`explain`", { byDefault: "`off`" });
export const setRequestId = honoured("set_request_id", anyHttp, flag, "`requestId`", {
  byDefault: "`off`",
});

export const streamOps = honoured(
  "stream_ops",
  anyHttp,
  oneOf("off", "set_opt", "add"),
  "`streamUsage`",
  {
    byDefault: "`off`",
    note: "`set_opt` and `add` are the same: a request that is not streamed stays so.",
  },
);
export const traceHeadersForce = honoured(
  "set_trace_headers_force",
  anyHttp,
  flag,
  "`Traceparent`, `TTFT_traceparent`, `Start_time_ns` and `TTFT_Start_time` in `setHeaders`",
  { byDefault: "`off`" },
);
export const internalMetrics = honoured(
  "enable_internal_metrics",
  anyHttp,
  size,
  "`page: vllm_metrics`",
  {
    byDefault: "none",
    note:
      "`/internal/metrics` of its server responds, or, in a location without a target, that location. " +
      "The size has no effect.",
  },
);

const usePrefill = "use prefill and one upstream per role";

export const prefillDirectives: readonly Directive[] = [
  prefill,
  encode,
  pdDialect,
  onPrefillFailure,
  prefillMinTokens,
  explain,
  setRequestId,
  streamOps,
  traceHeadersForce,
  internalMetrics,
  rejected("prefill_refactor", usePrefill),
  rejected("prefill_servers_list", usePrefill),
  rejected("decode_servers_list", usePrefill),
  rejected("bootstrap_ports_list"),
  rejected("pd_backend", "", ["vllm"]),
  rejected("pd_distribution", usePrefill),
  ...omniDirectives,
  rejected("omni_proxy_prefill_groups"),
  rejected("omni_proxy_decode_groups"),
];
