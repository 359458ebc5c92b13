/** Whether the proxy serves: for balancers, probes and people. */
import { z } from "zod";
import { servingRoutes } from "../../config/model-routes.ts";
import { unfitPools } from "../../pool/health/readiness.ts";
import type { AdminSource } from "./admin-source.ts";
import { json } from "./response.ts";
import type { AdminRoute } from "./route.ts";
import { count, named } from "./schemas.ts";

const pools = z.array(z.string()).readonly().optional();
const healthSchema = named(
  "Health",
  z.object({
    status: z.enum(["ok", "draining", "down", "not-ready"]),
    workers: z.object({ alive: count, configured: count }),
    poolsWithoutFitEngine: pools.describe("If `not-ready`: of routes that can serve nothing."),
    sparedPoolsWithoutFitEngine: pools.describe(
      "If `ok` or `not-ready`: of models whose route can still serve another one.",
    ),
  }),
);
type Health = Readonly<z.output<typeof healthSchema>>;

const group = "health";
const responses = { 200: healthSchema, 503: healthSchema };

export const healthRoutes: readonly AdminRoute[] = [
  {
    group,
    method: "GET",
    path: "/admin/health",
    id: "getHealth",
    summary:
      "Ready to serve? 503 if a route has no fit engine in a pool that it needs, or if it is not live.",
    responses,
    respond({ source, clock }) {
      const report = health(source, clock.wallMs());
      return json(report.status === "ok" ? 200 : 503, report);
    },
  },
  {
    group,
    method: "GET",
    path: "/admin/live",
    id: "getLive",
    summary: "Does the proxy itself live? For probes that restart it.",
    responses,
    respond({ source }) {
      const report = live(source);
      return json(report.status === "ok" ? 200 : 503, report);
    },
  },
];

/** Not `ok` if the proxy takes no requests: no worker is alive, or it is draining. */
export function live({ workers: { alive, configured }, isDraining }: AdminSource): Health {
  const status = isDraining ? "draining" : alive > 0 ? "ok" : "down";
  return { status, workers: { alive, configured } };
}

/** The same, and whether each route has the fit engines that it needs. @param nowMs since the epoch */
export function health(source: AdminSource, nowMs: number): Health {
  const report = live(source);
  if (report.status !== "ok") return report;
  const byName = new Map(source.pools.map((pool) => [pool.name, pool]));
  const routes = source.config.servers.flatMap((server) => server.routes.map(servingRoutes));
  const { needed, spared } = unfitPools(
    routes.map((models) =>
      models.map(({ prefill, target }) => ({
        prefillPool: prefill && "pool" in prefill ? byName.get(prefill.pool) : undefined,
        targetPool: target && "pool" in target ? byName.get(target.pool) : undefined,
      })),
    ),
    nowMs,
  );
  return {
    ...report,
    ...(needed.length > 0 && { status: "not-ready", poolsWithoutFitEngine: needed }),
    ...(spared.length > 0 && { sparedPoolsWithoutFitEngine: spared }),
  };
}
