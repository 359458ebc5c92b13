/**
 * Requests that the proxy is not ready for. `GET /health` of clients is one while a route of the server can serve
 * nothing, also if the engine that would respond is well itself.
 */
import { unfitPools } from "../../pool/health/readiness.ts";
import { type Outcome, outcomes } from "../context/outcomes.ts";
import type { RequestContext } from "../context/request-context.ts";
import type { Route } from "../routing/route.ts";
import type { Server } from "../routing/server.ts";

/** Undefined = it is ready. @param prefills the request has a prefill */
export function notReady(
  context: RequestContext,
  server: Server,
  route: Route,
  prefills: boolean,
): Outcome | undefined {
  if (prefills && !route.knowsDialect) return outcomes.dialectUnknown;
  return failedHealthCheck(context, server, route);
}

function failedHealthCheck(
  { head: { method }, path, sources: { clock } }: RequestContext,
  server: Server,
  route: Route,
): Outcome | undefined {
  if (!path.endsWith("/health") || (method !== "GET" && method !== "HEAD")) return undefined;
  if (!route.byEndpoint) return undefined;
  const { needed: pools } = unfitPools(
    server.routes.map((one) => one.servingRoutes),
    clock.wallMs(),
  );
  if (pools.length === 0) return undefined;
  const names = pools.map((name) => `"${name}"`).join(", ");
  return { ...outcomes.notReady, message: `No engine of pool ${names} is fit to serve requests.` };
}
