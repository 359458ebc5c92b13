/** Locations to which the proxy itself responds: the original's metrics, health and broadcasts. */
import type { Block } from "../directives/block.ts";
import type { RouteInput } from "../directives/http/location.ts";
import { omniBroadcast, omniHealthStatus, omniMetrics } from "../directives/proxy/omni.ts";
import { internalMetrics } from "../directives/proxy/prefill.ts";
import type { Report } from "../syntax/report.ts";

type Page = NonNullable<RouteInput["page"]>;

/** The first one counts. */
const pages = [
  [omniBroadcast, "omni_broadcast"],
  [omniHealthStatus, "omni_health"],
  [omniMetrics, "omni_metrics"],
] as const;

/** Undefined = none. */
export function readPage(block: Block, hasTarget: boolean, report: Report): Page | undefined {
  for (const [directive, page] of pages) {
    const [entry] = block.responding<unknown>(directive);
    if (entry === undefined || entry.value === false) continue;
    const { text, position } = entry.node.name;
    if (hasTarget) report.emerg(position, `a location with "${text}" cannot have a "proxy_pass"`);
    return page;
  }
  return undefined;
}

/** Where the original has its metrics of requests, wherever they are switched on. */
const internalMetricsPath = "/internal/metrics";

/**
 * `enable_internal_metrics`: gives the page to locations without a target that have it, or are of that path.
 *
 * @returns the match of the route that is to have it, if no location has the path
 */
export function addInternalMetrics(
  server: Block,
  located: readonly { readonly block: Block; readonly route: RouteInput }[],
): RouteInput["match"] | undefined {
  const isOn =
    located.some(({ block }) => block.has(internalMetrics)) ||
    server.inherited(internalMetrics).length > 0;
  if (!isOn) return undefined;
  for (const { block, route } of located) {
    const { match, target, page, steps = [] } = route;
    if ((target ?? page) !== undefined || steps.length > 0) continue;
    if (block.has(internalMetrics) || match.path === internalMetricsPath)
      route.page = "vllm_metrics";
  }
  const isThere = located.some(({ route }) => route.match.path === internalMetricsPath);
  return isThere ? undefined : { kind: "exact", path: internalMetricsPath };
}
