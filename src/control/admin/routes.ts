/** The pages of the admin listener, by path. */
import { maskConfig } from "../../config/values/secrets.ts";
import { expositionType } from "../../observe/metrics/exposition.ts";
import { unfitPools } from "../../pool/health/readiness.ts";
import type { Clock } from "../../transport/clock.ts";
import type { AdminSource } from "./admin-source.ts";
import { broadcast } from "./broadcast.ts";
import { engineControl, engineControlPaths, readOnlyProblem } from "./engine-control.ts";
import { type PoolReport, poolReports } from "./engines.ts";
import { kvReports } from "./kv.ts";
import { metricsText } from "./metrics/page.ts";
import { otherProxies } from "./other-proxies.ts";
import { type AdminResponse, adminProblem, decoded, json } from "./response.ts";
import type { AdminRequest, AdminRoutes } from "./server.ts";

type Page = (source: AdminSource, nowMs: number) => Promise<AdminResponse>;

const pages: Readonly<Record<string, Page>> = {
  "/admin/health": async (source, nowMs) => health(source, nowMs),
  "/admin/live": async (source) => live(source),
  "/admin/engines": async (source, nowMs) => json(200, { pools: await reports(source, nowMs) }),
  "/admin/config": async ({ config }) => json(200, maskConfig(config).config),
  "/admin/kv": async (source, nowMs) => json(200, { pools: kvReports(source.pools, nowMs) }),
  "/admin/shadow": async (source) => json(200, { pools: await source.shadows() }),
  "/admin/metrics": metrics,
  "/metrics": metrics,
};
const explainPath = "/admin/explain/";
const broadcastPath = "/admin/engines/broadcast";

export function adminRoutes(
  source: () => AdminSource,
  clock: Pick<Clock, "nowMs" | "wallMs">,
): AdminRoutes {
  const respond = async (question: AdminRequest): Promise<AdminResponse> => {
    const { method, path, body, mayChange } = question;
    const ofEngines =
      (await engineControl(source(), question, (from) => reports(from, clock.wallMs()))) ??
      otherProxies(source(), question, clock.wallMs());
    if (ofEngines !== undefined) return ofEngines;
    if (method === "POST" && path === broadcastPath) {
      if (!mayChange) return readOnlyProblem;
      const result = await broadcast(source().pools, body, () => clock.nowMs());
      if ("code" in result) return adminProblem(result.status, result.code, result.message);
      return json(result.ok ? 200 : 502, result);
    }
    if (method !== "GET" && method !== "HEAD") {
      return adminProblem(405, "method_not_allowed", `${method} is not allowed here: use GET`);
    }
    if (path.startsWith(explainPath)) return explain(source(), path.slice(explainPath.length));
    const page = Object.hasOwn(pages, path) ? pages[path] : undefined;
    if (page !== undefined) return page(source(), clock.wallMs());
    const others = [`${explainPath}{request-id}`, `POST ${broadcastPath}`, ...engineControlPaths];
    const known = [...Object.keys(pages), ...others].join(", ");
    return adminProblem(404, "not_found", `there is no page ${path}; the pages are ${known}`);
  };
  return { isOpen: () => false, respond };
}

/** The listener of metrics alone. */
export function metricsRoutes(
  source: () => AdminSource,
  clock: Pick<Clock, "wallMs">,
): AdminRoutes {
  const respond = async ({ method, path }: AdminRequest): Promise<AdminResponse> => {
    if (method !== "GET" && method !== "HEAD") {
      return adminProblem(405, "method_not_allowed", `${method} is not allowed here: use GET`);
    }
    if (path === "/metrics") return metrics(source(), clock.wallMs());
    return adminProblem(404, "not_found", `there is no page ${path}; the page is /metrics`);
  };
  return { isOpen: () => false, respond };
}

async function metrics(source: AdminSource, nowMs: number): Promise<AdminResponse> {
  const all = {
    ...source,
    config: source.config.metrics,
    poolReports: await reports(source, nowMs),
    kvReports: kvReports(source.pools, nowMs),
  };
  return { status: 200, contentType: expositionType, body: metricsText(all, nowMs) };
}

/** 503 if the proxy takes no requests: no worker is alive, or it is draining. */
function live({ workers: { alive, configured }, isDraining }: AdminSource): AdminResponse {
  const isUp = alive > 0 && !isDraining;
  const status = isDraining ? "draining" : isUp ? "ok" : "down";
  return json(isUp ? 200 : 503, { status, workers: { alive, configured } });
}

/** The same, and 503 if a route has a pool without a fit engine. */
function health(source: AdminSource, nowMs: number): AdminResponse {
  const response = live(source);
  if (response.status !== 200) return response;
  const { alive, configured } = source.workers;
  const workers = { alive, configured };
  const pools = new Map(source.pools.map((pool) => [pool.name, pool]));
  const routes = source.config.servers.flatMap((server) => server.routes);
  const unfit = unfitPools(
    routes.map(({ prefill, target }) => ({
      prefillPool: prefill && "pool" in prefill ? pools.get(prefill.pool) : undefined,
      targetPool: target && "pool" in target ? pools.get(target.pool) : undefined,
    })),
    nowMs,
  );
  if (unfit.length === 0) return response;
  return json(503, { status: "not-ready", poolsWithoutFitEngine: unfit, workers });
}

async function reports(source: AdminSource, nowMs: number): Promise<PoolReport[]> {
  return poolReports(source, await source.queue(), nowMs);
}

async function explain(source: AdminSource, text: string): Promise<AdminResponse> {
  const requestId = decoded(text);
  const [first] = await source.ask({ about: "request", requestId });
  if (first !== undefined) return json(200, first);
  const what = `there is no record of a request "${requestId}": it is too old, or its id is wrong`;
  return adminProblem(404, "unknown_request", what);
}
