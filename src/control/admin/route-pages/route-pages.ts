/** The pages that a route may have: what workers ask the main thread for, for clients. */
import { Exposition, expositionType } from "../../../observe/metrics/exposition.ts";
import type { PageRequest, PageResponse } from "../../../proxy/request/page-service.ts";
import type { Clock } from "../../../transport/clock.ts";
import type { AdminSource } from "../admin-source.ts";
import { metricsPage } from "../metrics/page.ts";
import { writeVllmNames } from "../metrics/request-families.ts";
import { adminProblem } from "../response.ts";
import { endpointsOf, poolsByRole } from "./engine-roles.ts";
import { omniBroadcast } from "./omni-broadcast.ts";
import { omniHealth } from "./omni-health.ts";
import { writeOmni } from "./omni-metrics.ts";

type Page = (
  source: AdminSource,
  clock: Pick<Clock, "nowMs" | "wallMs">,
  request: PageRequest,
) => Promise<PageResponse>;

const pages: Readonly<Record<PageRequest["page"], Page>> = {
  metrics: async (source, clock) => exposition(await metricsPage(source, clock.wallMs())),
  vllm_metrics: async (source) => {
    const out = new Exposition();
    if (source.metrics !== undefined) writeVllmNames(out, source.metrics);
    return exposition(out.text);
  },
  omni_metrics: async (source) => exposition(await omniMetricsText(source)),
  omni_health: ({ config, pools, askEngine }, clock) =>
    omniHealth(endpointsOf(config, pools), askEngine, clock.wallMs()),
  omni_broadcast: ({ config, pools, askEngine }, clock, request) =>
    omniBroadcast(endpointsOf(config, pools), request, askEngine, () => clock.nowMs()),
};

/** @returns what responds to one request; it never rejects */
export function routePages(
  source: () => AdminSource,
  clock: Pick<Clock, "nowMs" | "wallMs">,
): (request: PageRequest) => Promise<PageResponse> {
  return async (request) => {
    const { page, method } = request;
    const isBroadcast = page === "omni_broadcast";
    const methods = isBroadcast ? ["GET", "POST"] : ["GET", "HEAD"];
    try {
      if (methods.includes(method)) return await pages[page](source(), clock, request);
      const allow = methods.join(", ");
      const what = `${method} is not allowed here: use ${methods.join(" or ")}`;
      return { ...problem(405, "method_not_allowed", what), allow };
    } catch (error) {
      return problem(500, "internal", error instanceof Error ? error.message : String(error));
    }
  };
}

function problem(status: number, code: string, message: string): PageResponse {
  const { contentType, body } = adminProblem(status, code, message);
  return { status, contentType, body: String(body) };
}

function exposition(body: string): PageResponse {
  return { status: 200, contentType: expositionType, body };
}

async function omniMetricsText(source: AdminSource): Promise<string> {
  const { config, pools, metrics } = source;
  const out = new Exposition();
  const { queues } = await source.queue();
  const roles = poolsByRole(config);
  const waitingIn = (role: "prefill" | "decode") =>
    queues.reduce((sum, { pool, waiting }) => sum + (roles[role].has(pool) ? waiting : 0), 0);
  const waiting = { prefill: waitingIn("prefill"), decode: waitingIn("decode") };
  writeOmni(out, endpointsOf(config, pools), waiting);
  if (metrics !== undefined) writeVllmNames(out, metrics);
  return out.text;
}
