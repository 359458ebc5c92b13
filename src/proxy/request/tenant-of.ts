/** Asks whose a request is, if it has to say so, and whether it may have what its body asks for. */
import type { Endpoint } from "../../dialects/endpoints/endpoint.ts";
import type { Outcome } from "../context/outcomes.ts";
import type { RequestContext } from "../context/request-context.ts";
import type { RequestTenant } from "../context/request-tenant.ts";
import { storageRefusal } from "../response/stored-response.ts";
import type { Route } from "../routing/route.ts";
import type { Routed } from "../routing/server.ts";
import type { RequestServices } from "./request-services.ts";

interface Admitted {
  readonly context: RequestContext;
  readonly endpoint: Endpoint | undefined;
  readonly worker: Pick<RequestServices, "gate">;
}

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
  if (gate === undefined || !asksForKey(routed)) return undefined;
  context.isOpen = isOpen(context, routed.route!);
  return context.isOpen ? undefined : gate.enter(context, settled);
}

/**
 * The body has come.
 *
 * @param generates it has a prompt to charge
 * @returns why the request ends here
 */
export function admitBody(
  { context, endpoint, worker }: Admitted,
  route: Route,
  generates: boolean,
): Outcome | undefined {
  if (context.isOpen) return undefined;
  const uri = route.destination(context)?.uri ?? context.path;
  const isBound = worker.gate !== undefined;
  const refusal = storageRefusal(context, endpoint, route.config, uri, isBound);
  if (refusal !== undefined) return refusal;
  return context.tenant?.admitBody(generates, endpoint?.servedBy !== "storing-engine");
}

/** What the configuration itself responds is for all. */
function asksForKey({ route, response, outcome }: Routed): boolean {
  return (
    route !== undefined && response === undefined && outcome === undefined && route.config.auth
  );
}

/**
 * Browsers ask with OPTIONS whether they may send a request, without its key; load balancers ask for `/health` without
 * one. Neither gets to know or to do anything: it has no body, and another spelling of `/health` is another path for
 * engines, which get the target as it came.
 */
function isOpen({ head, path }: RequestContext, { byEndpoint }: Route): boolean {
  const { method, target, contentLength, chunked } = head;
  if (contentLength > 0 || chunked) return false;
  if (method === "OPTIONS") return true;
  const isRead = method === "GET" || method === "HEAD";
  return isRead && byEndpoint && target === "/health" && path === target;
}
