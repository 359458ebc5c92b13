/** What an engine answers on which path. */

import type { EngineCore } from "../core/core.ts";
import type { Fault, FaultBook } from "../core/faults.ts";
import { checkFault } from "../core/faults.ts";
import { InferenceJob } from "../core/job.ts";
import type { Endpoint, SimpleEndpoint } from "../endpoints/endpoint.ts";
import { endpoints, simpleEndpoints } from "../endpoints/registry.ts";
import { requestsMax } from "../options.ts";
import { readJsonBody } from "./json-body.ts";
import type { Reply } from "./reply.ts";
import { badRequest, RequestError } from "./request-error.ts";
import type { RequestLog } from "./request-log.ts";
import { jsonOrNothing, type RouteHandler, responseRoute, routeOf } from "./route-table.ts";

/** A request that has arrived in full. */
export interface Arrived {
  readonly method: string;
  readonly path: string;
  /** Without its question mark. */
  readonly query: string;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: Buffer;
  readonly reply: Reply;
  readonly fault: Fault | undefined;
  /** Registers what to do when the connection ends. */
  onGone(run: () => void): void;
}

export interface RouteContext {
  readonly core: EngineCore;
  readonly faults: FaultBook;
  readonly log: RequestLog;
  /** Called when faults were set or cleared, because some of them concern the listener. */
  faultsChanged(): void;
}

type Handler = (context: RouteContext, arrived: Arrived) => void;

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
  "/health": { GET: health },
  "/ping": { GET: health, POST: health },
  "/version": { GET: (_context, { reply }) => reply.send(200, '{"version":"0.0.0+simulated"}') },
  "/metrics": { GET: metrics },
  "/debug/state": { GET: ({ core }, { reply }) => reply.send(200, JSON.stringify(core.state())) },
  "/debug/requests": { GET: ({ log }, { reply }) => reply.send(200, log.json()) },
  "/debug/fault": { GET: listFaults, POST: setFault, DELETE: clearFaults },
  "/debug/leases": { DELETE: endLeases },
};

/** Answers, now or later. Never throws. */
export function route(context: RouteContext, arrived: Arrived): void {
  const { reply } = arrived;
  const ofDialect = routeOf(context.core.dialect.routes, arrived.method, arrived.path);
  if (ofDialect !== undefined) {
    void responseForDialect(ofDialect, arrived);
    return;
  }
  try {
    const methods = Object.hasOwn(routes, arrived.path) ? routes[arrived.path] : undefined;
    const handler = methods?.[arrived.method] ?? keptHandler(arrived);
    if (handler !== undefined) handler(context, arrived);
    else if (methods === undefined) reply.send(404, '{"detail":"Not Found"}');
    else reply.send(405, '{"detail":"Method Not Allowed"}');
  } catch (error) {
    const known = requestError(error);
    reply.send(known.status, known.body());
  }
}

function requestError(error: unknown): RequestError {
  if (error instanceof RequestError) return error;
  return new RequestError(500, "InternalServerError", String(error));
}

const keptPath = /^\/v1\/responses\/([^/]+)(\/cancel)?$/;

/** What is asked of an answer of `/v1/responses` that is kept; undefined at any other path. */
function keptHandler({ method, path }: Arrived): Handler | undefined {
  const [, id, action] = keptPath.exec(path) ?? [];
  if (id === undefined) return undefined;
  return ({ core: { responses } }, { reply }) => {
    if (action !== undefined && method === "POST") reply.send(200, responses.cancel(id).json);
    else if (action === undefined && method === "GET") reply.send(200, responses.get(id).json);
    else if (action === undefined && method === "DELETE") {
      responses.delete(id);
      reply.send(200, JSON.stringify({ id, object: "response", deleted: true }));
    } else reply.send(405, '{"detail":"Method Not Allowed"}');
  };
}

/** With errors in the endpoint's own shape, and none of it at engines of families that do not have it. */
function served(
  { families, errorBody }: Pick<Endpoint, "families" | "errorBody">,
  handler: Handler,
): Handler {
  return (context, arrived) => {
    if (families !== undefined && !families.includes(context.core.family)) {
      arrived.reply.send(404, '{"detail":"Not Found"}');
      return;
    }
    try {
      handler(context, arrived);
    } catch (error) {
      const known = requestError(error);
      arrived.reply.send(known.status, errorBody?.(known) ?? known.body());
    }
  };
}

async function responseForDialect(handler: RouteHandler, arrived: Arrived): Promise<void> {
  const gone = new AbortController();
  arrived.onGone(() => gone.abort());
  const { status, json, contentType } = await responseRoute(handler, {
    query: new URLSearchParams(arrived.query),
    headers: arrived.headers,
    body: jsonOrNothing(arrived.body.toString()),
    gone: gone.signal,
  });
  arrived.reply.send(status, json, contentType);
}

function inference(endpoint: Endpoint): Handler {
  return ({ core }, { headers, body, reply: client, fault, onGone }) => {
    requireJson(headers["content-type"]);
    if (core.requests >= requestsMax) {
      throw new RequestError(503, "ServiceUnavailableError", "The engine is full.");
    }
    const request = endpoint.read(readJsonBody(body), core.options, core.responses);
    const requestId = first(headers["x-request-id"]) || request.promptHash.slice(0, 32);
    const leg = core.dialect.leg(request, { requestId, headers });
    const format = endpoint.format(request, requestId, core.createdSeconds(), core.responses);
    client.errorEvents = () => format.error(engineFailed);
    const detached = endpoint.detach?.(request, format, client, () => job.abort());
    const reply = detached ?? client;
    const errorBody = (error: RequestError) => endpoint.errorBody?.(error) ?? error.body();
    const job = new InferenceJob(core, { request, leg, format, reply, fault, errorBody });
    core.enter(job);
    if (detached === undefined) onGone(() => job.abort());
    if (fault?.kind === "slow") job.startAfter(fault.delayMs);
    else if (fault?.kind !== "stall" || fault.chunks !== undefined) job.start();
  };
}

const engineFailed = new RequestError(
  500,
  "InternalServerError",
  "EngineCore encountered an issue.",
);

function simple(endpoint: SimpleEndpoint): Handler {
  return ({ core }, { body, reply }) => {
    const { family, options } = core;
    const engine = { ...options, family, createdSeconds: core.createdSeconds() };
    reply.send(200, endpoint.response(readJsonBody(body), engine));
  };
}

function requireJson(contentType: string | string[] | undefined): void {
  if (first(contentType).split(";")[0]!.trim().toLowerCase() === "application/json") return;
  throw badRequest("Unsupported Media Type: Only 'application/json' is allowed");
}

function first(header: string | string[] | undefined): string {
  return (typeof header === "string" ? header : header?.[0]) ?? "";
}

function models({ core }: RouteContext, { reply }: Arrived): void {
  const { model, maxModelLen } = core.options;
  const entry = {
    id: model,
    object: "model",
    created: core.createdSeconds(),
    owned_by: core.family,
    root: model,
    parent: null,
    max_model_len: maxModelLen,
    permission: [],
  };
  reply.send(200, JSON.stringify({ object: "list", data: [entry] }));
}

function health(_context: RouteContext, { reply }: Arrived): void {
  reply.send(200, "", "");
}

function metrics({ core }: RouteContext, { reply }: Arrived): void {
  reply.send(200, core.renderMetrics(), "text/plain; version=0.0.4; charset=utf-8");
}

/** Tests end leases themselves, so that no test depends on how long a lease lasts on a slow machine. */
function endLeases({ core }: RouteContext, { reply }: Arrived): void {
  core.kvStore.endLeases();
  reply.send(200, JSON.stringify(core.state()));
}

function setFault(context: RouteContext, arrived: Arrived): void {
  let input: unknown;
  try {
    input = JSON.parse(arrived.body.toString());
    context.faults.set(checkFault(input), context.core.options.clock.now());
  } catch (error) {
    throw badRequest((error as Error).message);
  }
  context.faultsChanged();
  listFaults(context, arrived);
}

function clearFaults(context: RouteContext, arrived: Arrived): void {
  context.faults.clear();
  context.faultsChanged();
  listFaults(context, arrived);
}

function listFaults({ core, faults }: RouteContext, { reply }: Arrived): void {
  reply.send(200, JSON.stringify(faults.list(core.options.clock.now())));
}
