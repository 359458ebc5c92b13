/** Asks whose a request is, if it has to say so. */
import type { RequestContext } from "../context/request-context.ts";
import type { RequestTenant } from "../context/request-tenant.ts";
import type { Routed } from "../routing/server.ts";
import type { RequestServices } from "./request-services.ts";

/**
 * @param settled called once it is known whose it is, if that is not at once
 * @returns undefined = nobody asks for that
 */
export function tenantOf(
  context: RequestContext,
  routed: Routed,
  gate: RequestServices["gate"],
  settled: () => void,
): RequestTenant | undefined {
  return gate !== undefined && needsKey(context, routed) ? gate.enter(context, settled) : undefined;
}

/**
 * Browsers ask with OPTIONS whether they may send a request, without its key; load balancers ask for `/health` without
 * one. Neither gets to know or to do anything. What the configuration itself responds is for all.
 */
function needsKey(
  { head: { method }, path }: RequestContext,
  { route, response, outcome }: Routed,
): boolean {
  if (route === undefined || response !== undefined || outcome !== undefined) return false;
  if (!route.config.auth || method === "OPTIONS") return false;
  const isRead = method === "GET" || method === "HEAD";
  return !(isRead && route.byEndpoint && path === "/health");
}
