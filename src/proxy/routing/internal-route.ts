/** Routes the prefill of a request internally, under a path prefix, as nginx does with a subrequest. */
import type { RequestContext } from "../context/request-context.ts";
import type { Destination, Route } from "./route.ts";
import type { Server } from "./server.ts";

export interface InternalRoute {
  readonly route: Route;
  readonly destination: Destination;
}

/** Path, query and captures of the request itself stay as they are. Undefined when the prefix leads to no pool. */
export function internalRoute(
  server: Server,
  context: RequestContext,
  prefix: string,
): InternalRoute | undefined {
  const { path, args, captures, rewritten } = context;
  context.path = prefix + path;
  context.rewritten = true;
  const { route, response, outcome } = server.route(context, true);
  const ended = response !== undefined || outcome !== undefined;
  const destination = ended ? undefined : route.destination(context);
  Object.assign(context, { path, args, captures, rewritten });
  return destination && { route: route!, destination };
}
