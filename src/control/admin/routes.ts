/** The routes of the listeners for operators: the one table that is served, and that describes itself. */
import { z } from "zod";
import { expositionType } from "../../observe/metrics/exposition.ts";
import { broadcastRoute } from "./broadcast.ts";
import { dashboardRoutes } from "./dashboard/routes.ts";
import { engineControlRoutes } from "./engine-control.ts";
import { poolReportSchema, reportsOf } from "./engines.ts";
import { explainRoute } from "./explain.ts";
import { healthRoutes } from "./health.ts";
import { kvPoolSchema, kvReports } from "./kv.ts";
import { metricsPage } from "./metrics/page.ts";
import { openApiRoute } from "./openapi.ts";
import { otherProxyRoutes } from "./other-proxies.ts";
import { policyRoutes } from "./policy.ts";
import { configurationRoutes } from "./reconfigure.ts";
import { json } from "./response.ts";
import type { AdminCall, AdminRoute } from "./route.ts";
import { named } from "./schemas.ts";
import { servedRoute } from "./served.ts";
import { shadowSchema } from "./shadow.ts";

const read = { method: "GET" } as const;

const engineRoutes: readonly AdminRoute[] = [
  {
    ...read,
    group: "engines",
    path: "/admin/engines",
    id: "listPools",
    summary: "The pools and their engines.",
    responses: { 200: named("Pools", z.object({ pools: z.array(poolReportSchema) })) },
    respond: async ({ source, clock }) =>
      json(200, { pools: await reportsOf(source, clock.wallMs()) }),
  },
  ...engineControlRoutes,
  broadcastRoute,
  {
    ...read,
    group: "engines",
    path: "/admin/kv",
    id: "listKv",
    summary: "KV caches that prefill engines hold, and how earlier ones were freed.",
    responses: { 200: named("KvPools", z.object({ pools: z.array(kvPoolSchema) })) },
    respond: ({ source, clock }) => json(200, { pools: kvReports(source.pools, clock.wallMs()) }),
  },
  {
    ...read,
    group: "engines",
    path: "/admin/shadow",
    id: "listShadows",
    summary: "What shadow policies would have done.",
    responses: { 200: named("Shadows", z.object({ pools: z.array(shadowSchema) })) },
    respond: async ({ source }) => json(200, { pools: await source.shadows() }),
  },
];

/** The page of the listener for metrics alone. */
export const metricsRoutes: readonly AdminRoute[] = [
  {
    ...read,
    group: "health",
    path: "/metrics",
    id: "getMetrics",
    summary: "Metrics for Prometheus.",
    responses: { 200: expositionType },
    respond: metrics,
  },
];

export const adminRoutes: readonly AdminRoute[] = [
  ...healthRoutes,
  ...metricsRoutes,
  { ...metricsRoutes[0]!, path: "/admin/metrics", id: "getAdminMetrics" },
  ...engineRoutes,
  explainRoute,
  ...dashboardRoutes,
  ...configurationRoutes,
  servedRoute,
  ...policyRoutes,
  openApiRoute(() => adminRoutes),
  ...otherProxyRoutes,
];

async function metrics({ source, clock }: AdminCall) {
  const body = await metricsPage(source, clock.wallMs());
  return { status: 200, contentType: expositionType, body };
}
