/** `load_module`: which modules are built in, and what to use instead of others. */
import { basename } from "node:path";
import { nearestWord } from "../../problems/suggest.ts";
import { reading } from "../reading/arguments.ts";
import { type Directive, honoured } from "../reading/directive.ts";

/** Modules whose directives are honoured. */
const builtIn = [
  "ngx_http_set_request_id_module.so",
  "ngx_http_prefill_module.so",
  "ngx_http_upstream_length_balance_module.so",
  "ngx_otel_module.so",
];

/** The same for its other policies, its metrics and omni_proxy: the part of the file's name that identifies each. */
const builtInPolicies = [
  "greedy_timeout",
  "prefill_score_balance",
  "weighted_least_active",
  "pd_score_balance",
  "least_total_load",
  "auto_balance_controller",
  "prefix_cache_affinity",
  "internal_metrics",
  "omni_proxy",
];

const notSupported = "its directives are not supported yet";

/** The original's other modules: the part of the file's name that identifies each. */
const family: readonly { readonly part: string; readonly reason: string }[] = [
  { part: "prefill_refactor", reason: `${notSupported}; use prefill` },
];

/** Modules that distributions load by default. */
const stock =
  /^ngx_(?:stream|mail|stream_geoip|http_(?:geoip|image_filter|perl|xslt_filter))_module\.so$/;

/** Without the beginning and the end that all names share, which would make any two of them alike. */
function coreOf(file: string): string {
  return file.replace(/^ngx_(?:http_)?|(?:_module)?\.so$/g, "");
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(", ");
}

const loadModule = honoured(
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
    const message = `module "${file}" is not loaded: ${relative?.reason ?? notSupported}`;
    scope.notice(message, word, file);
    return file;
  }),
  "nothing: the original's modules are built in",
  {
    repeats: true,
    note:
      "Only the file's name counts, not its folder. Built in are " +
      `${quoted(builtIn)}, and files with ${quoted(builtInPolicies)} in their names. The original's other ` +
      "modules and nginx's own are accepted with a notice; any other module is an error.",
  },
);

export const moduleDirectives: readonly Directive[] = [loadModule];
