/** From the head that a client's connection has read to the request: its context, its route, its handler. */
import { type ConnectionFacts, RequestContext } from "../context/request-context.ts";
import { RequestHandler } from "../request/request-handler.ts";
import type { RequestClient } from "../request/request-services.ts";
import { routeRequest, unroutedRequest } from "../routing/route-request.ts";
import type { VirtualServers } from "../routing/virtual-servers.ts";
import type { ClientServices } from "./client-services.ts";
import type { HeadReader } from "./head-reader.ts";

/** @param isPipelined it was here before the response to the one before it was complete */
export function newRequest(
  client: RequestClient,
  { head }: HeadReader,
  headBytes: number,
  isPipelined: boolean,
  facts: ConnectionFacts,
  worker: ClientServices,
  servers: VirtualServers,
): RequestHandler {
  facts.requests += 1;
  const context = new RequestContext(head, facts, worker);
  context.requestBytes = headBytes;
  context.isPipelined = isPipelined;
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
