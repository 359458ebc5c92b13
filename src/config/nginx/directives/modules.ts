/** `load_module`: which modules are built in here, and what stands in for others. */
import { basename } from "node:path";
import { nearestWord } from "../../problems/suggest.ts";
import { reading } from "../reading/arguments.ts";
import { type Directive, honoured } from "../reading/directive.ts";

/** Their directives are honoured. */
const builtIn = [
  "ngx_http_set_request_id_module.so",
  "ngx_http_prefill_module.so",
  "ngx_http_upstream_length_balance_module.so",
];

/** So are those of the original's other policies and of omni_proxy, by the part of the file's name that tells them apart. */
const builtInPolicies = [
  "greedy_timeout",
  "prefill_score_balance",
  "weighted_least_active",
  "pd_score_balance",
  "least_total_load",
  "auto_balance_controller",
  "prefix_cache_affinity",
  "omni_proxy",
];

const refusedDirectives = "its directives are not supported yet";

/** The original's other modules, by the part of the name that tells them apart. */
const family: readonly { readonly part: string; readonly standsIn: string }[] = [
  { part: "prefill_refactor", standsIn: `${refusedDirectives}; prefill stands in for it` },
  { part: "internal_metrics", standsIn: refusedDirectives },
];

/** Modules that distributions load by default. */
const stock =
  /^ngx_(?:stream|mail|stream_geoip|http_(?:geoip|image_filter|perl|xslt_filter))_module\.so$/;

/** All names share beginning and end, which would make any two of them alike. */
function coreOf(file: string): string {
  return file.replace(/^ngx_(?:http_)?|(?:_module)?\.so$/g, "");
}

export const loadModule = honoured(
  "load_module",
  ["main"],
  reading(1, 1, ([word], scope) => {
    const file = basename(word!.text);
    if (builtIn.includes(file) || builtInPolicies.some((part) => file.includes(part))) return file;
    const relative = family.find(({ part }) => file.includes(part));
    if (relative === undefined && !stock.test(file)) {
      const nearest = nearestWord(coreOf(file), builtIn.map(coreOf));
      const meant = builtIn.find((name) => coreOf(name) === nearest);
      const hint = meant === undefined ? undefined : `did you mean "${meant}"?`;
      scope.fail(`unknown module "${file}"`, word, hint);
    }
    const message = `module "${file}" is not loaded: ${relative?.standsIn ?? refusedDirectives}`;
    scope.notice(message, word, file);
    return file;
  }),
  `told by the file's name, whatever its folder. Built in: ${builtIn.map((name) => `\`${name}\``).join(", ")}, and those with ${builtInPolicies.map((part) => `\`${part}\``).join(", ")} in their names. The original's other modules and nginx's own are accepted with a notice; others are an error`,
  { repeats: true },
);

export const moduleDirectives: readonly Directive[] = [loadModule];
