/** From the head that a client's connection has read to the request: its context, its route, its handler. */
import type { RequestHead } from "../../http1/head/request-head.ts";
import { type ConnectionFacts, RequestContext } from "../context/request-context.ts";
import { RequestHandler } from "../request/request-handler.ts";
import type { RequestClient } from "../request/request-services.ts";
import { routeRequest, unroutedRequest } from "../routing/route-request.ts";
import type { VirtualServers } from "../routing/virtual-servers.ts";
import type { ClientServices } from "./client-services.ts";
import type { HeadReader } from "./head-reader.ts";

/** Of the next request of a connection. */
export function newContext(
  head: RequestHead,
  headBytes: number,
  facts: ConnectionFacts,
  worker: ClientServices,
): RequestContext {
  facts.requests += 1;
  const context = new RequestContext(head, facts, worker);
  context.requestBytes = headBytes;
  return context;
}

export function newRequest(
  client: RequestClient,
  context: RequestContext,
  worker: ClientServices,
  servers: VirtualServers,
): RequestHandler {
  return new RequestHandler(client, context, worker, routeRequest(context, servers));
}

/** Of a head that cannot be read, or does not come to its end: enough of a request to be refused and logged. */
export function unreadRequest(
  client: RequestClient,
  heads: HeadReader,
  facts: ConnectionFacts,
  worker: ClientServices,
  servers: VirtualServers,
): RequestHandler {
  const bytes = heads.waitingBytes;
  const head = heads.takeUnread(servers.initial.headLimits);
  const context = new RequestContext(head, facts, worker);
  context.requestBytes = bytes;
  return new RequestHandler(client, context, worker, unroutedRequest(context, servers));
}
