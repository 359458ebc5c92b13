/** From a request's head to its server and its route. */
import { normalizePath } from "../../http1/head/normalize-path.ts";
import { outcomes } from "../context/outcomes.ts";
import type { RequestContext } from "../context/request-context.ts";
import type { Routed, Server } from "./server.ts";
import { tlsRefusal } from "./tls-refusal.ts";
import type { VirtualServers } from "./virtual-servers.ts";

export interface RoutedRequest {
  readonly server: Server;
  readonly routed: Routed;
}

/** Finds server and route, and runs the rewrites. Sets the context's server name and path. */
export function routeRequest(context: RequestContext, servers: VirtualServers): RoutedRequest {
  const server = servers.find(context);
  context.serverName = server.name;
  const path = normalizePath(context.head.path, server.config.mergeSlashes);
  if (path === undefined) {
    return { server, routed: { route: server.unmatched, outcome: outcomes.badPath } };
  }
  context.path = path;
  const refusal = tlsRefusal(context, servers, server);
  if (refusal !== undefined) {
    return { server, routed: { route: server.routeOf(context), outcome: refusal } };
  }
  return { server, routed: server.route(context, false) };
}

/** For a request whose head could not be read: the default server, and no route. */
export function unroutedRequest(context: RequestContext, servers: VirtualServers): RoutedRequest {
  const server = servers.initial;
  context.serverName = server.name;
  return { server, routed: { route: server.unmatched, outcome: outcomes.noRoute } };
}
