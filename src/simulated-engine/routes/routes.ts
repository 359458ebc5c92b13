/** The paths of an engine's HTTP port, and what responds at each of them. */

import type { Endpoint } from "../endpoints/endpoint.ts";
import { endpoints, simpleEndpoints } from "../endpoints/registry.ts";
import { RequestError } from "../http/request-error.ts";
import { jsonOrNothing, type RouteHandler, routeOf, runRoute } from "../http/route-table.ts";
import { loadAdapter, models, unloadAdapter } from "./adapters.ts";
import { clearFaults, endLeases, listFaults, setFault } from "./debug.ts";
import type { Handler, IncomingRequest, RouteContext } from "./handler.ts";
import { inference, simple } from "./inference.ts";
import { serverInfo } from "./server-info.ts";

const notFound = '{"detail":"Not Found"}';
const unauthorized = '{"error":"Unauthorized"}';
const notAllowed = '{"detail":"Method Not Allowed"}';

const routes: Readonly<Record<string, Readonly<Record<string, Handler>>>> = {
  ...Object.fromEntries(
    endpoints.map((endpoint) => [endpoint.path, { POST: served(endpoint, inference(endpoint)) }]),
  ),
  ...Object.fromEntries(
    simpleEndpoints.map((endpoint) => [
      endpoint.path,
      { POST: served(endpoint, simple(endpoint)) },
    ]),
  ),
  "/v1/models": { GET: models },
  "/v1/load_lora_adapter": { POST: loadAdapter },
  "/v1/unload_lora_adapter": { POST: unloadAdapter },
  "/health": { GET: health },
  "/ping": { GET: health, POST: health },
  "/version": {
    GET: ({ core }, { reply }) =>
      reply.send(200, JSON.stringify({ version: core.options.version })),
  },
  "/metrics": { GET: metrics },
  "/server_info": { GET: serverInfo },
  "/debug/state": { GET: ({ core }, { reply }) => reply.send(200, JSON.stringify(core.state())) },
  "/debug/requests": { GET: ({ log }, { reply }) => reply.send(200, log.json()) },
  "/debug/fault": { GET: listFaults, POST: setFault, DELETE: clearFaults },
  "/debug/leases": { DELETE: endLeases },
};

/** Responds, now or later. Never throws. */
export function route(context: RouteContext, request: IncomingRequest): void {
  const { reply } = request;
  if (lacksKey(context, request)) {
    reply.send(401, unauthorized);
    return;
  }
  const ofDialect = routeOf(context.core.dialect.routes, request.method, request.path);
  if (ofDialect !== undefined) {
    void respondForDialect(ofDialect, request);
    return;
  }
  try {
    const methods = Object.hasOwn(routes, request.path) ? routes[request.path] : undefined;
    const handler = methods?.[request.method] ?? storedResponseHandler(request);
    if (handler !== undefined) handler(context, request);
    else if (methods === undefined) reply.send(404, notFound);
    else reply.send(405, notAllowed);
  } catch (error) {
    const known = requestError(error);
    reply.send(known.status, known.body());
  }
}

/** As vLLM's `AuthenticationMiddleware`: paths that do not begin with `/v1` are open. */
function lacksKey({ core }: RouteContext, { method, path, headers }: IncomingRequest): boolean {
  const { apiKey } = core.options;
  if (apiKey === "" || method === "OPTIONS" || !path.startsWith("/v1")) return false;
  return headers["authorization"] !== `Bearer ${apiKey}`;
}

function requestError(error: unknown): RequestError {
  if (error instanceof RequestError) return error;
  return new RequestError(500, "InternalServerError", String(error));
}

const storedResponsePath = /^\/v1\/responses\/([^/]+)(\/cancel)?$/;

/** For a request about one stored response of `/v1/responses`; undefined at any other path. */
function storedResponseHandler({ method, path }: IncomingRequest): Handler | undefined {
  const [, id, action] = storedResponsePath.exec(path) ?? [];
  if (id === undefined) return undefined;
  return ({ core: { responses } }, { reply }) => {
    if (action !== undefined && method === "POST") reply.send(200, responses.cancel(id).json);
    else if (action === undefined && method === "GET") reply.send(200, responses.get(id).json);
    else if (action === undefined && method === "DELETE") {
      responses.delete(id);
      reply.send(200, JSON.stringify({ id, object: "response", deleted: true }));
    } else reply.send(405, notAllowed);
  };
}

/** Words errors in the endpoint's own shape, and hides the endpoint from engine families that do not have it. */
function served(
  { families, errorBody }: Pick<Endpoint, "families" | "errorBody">,
  handler: Handler,
): Handler {
  return (context, request) => {
    if (families !== undefined && !families.includes(context.core.family)) {
      request.reply.send(404, notFound);
      return;
    }
    try {
      handler(context, request);
    } catch (error) {
      const known = requestError(error);
      request.reply.send(known.status, errorBody?.(known) ?? known.body());
    }
  };
}

async function respondForDialect(handler: RouteHandler, request: IncomingRequest): Promise<void> {
  const disconnect = new AbortController();
  request.onDisconnect(() => disconnect.abort());
  const { status, json, contentType } = await runRoute(handler, {
    query: new URLSearchParams(request.query),
    headers: request.headers,
    body: jsonOrNothing(request.body.toString()),
    signal: disconnect.signal,
  });
  request.reply.send(status, json, contentType);
}

function health(_context: RouteContext, { reply }: IncomingRequest): void {
  reply.send(200, "", "");
}

function metrics({ core }: RouteContext, { reply }: IncomingRequest): void {
  reply.send(200, core.renderMetrics(), "text/plain; version=0.0.4; charset=utf-8");
}
