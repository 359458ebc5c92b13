/** A configuration as the proxy compiles it, and what a request comes to by it, without sockets. */
import { loadNginx } from "../../../src/config/nginx/load.ts";
import type { Config } from "../../../src/config/schema/schema.ts";
import { Pool } from "../../../src/pool/pool.ts";
import { SlotTable } from "../../../src/pool/slots.ts";
import type { RequestContext } from "../../../src/proxy/context/request-context.ts";
import type { ClientResponse } from "../../../src/proxy/response/client-response.ts";
import { errorPage } from "../../../src/proxy/response/local/error-page.ts";
import { returnedReply } from "../../../src/proxy/response/local/local-reply.ts";
import { AccessLog, combined } from "../../../src/proxy/routing/access-log.ts";
import { compileMap } from "../../../src/proxy/routing/maps/map.ts";
import type { ResponseRules } from "../../../src/proxy/routing/response/response-rules.ts";
import type { ReturnedReply } from "../../../src/proxy/routing/rewrite.ts";
import type { Route } from "../../../src/proxy/routing/route.ts";
import { Server } from "../../../src/proxy/routing/server.ts";
import { VariableScope } from "../../../src/proxy/routing/template.ts";
import { VirtualServers } from "../../../src/proxy/routing/virtual-servers.ts";
import { createScoreboardMemory, Scoreboard } from "../../../src/scoreboard/scoreboard.ts";
import { contextOf } from "./contexts.ts";

/** The configuration of an http block. Its folder is `/nowhere`. */
export function configOf(http: string): Config {
  const files = {
    read: () => `events {}\nhttp {\n${http}\n}`,
    glob: () => [],
  };
  const result = loadNginx("/nowhere/nginx.conf", { ...files, prefix: "/nowhere" });
  if (result.errors !== undefined) throw new Error(JSON.stringify(result.errors, undefined, 1));
  return result.config;
}

/** All servers as if they listened at one address; the first is the default. */
export function compile(config: Config): VirtualServers {
  const scope = new VariableScope();
  for (const map of config.maps) compileMap(map, scope);
  const slots = new SlotTable(64, () => {}).assign(config);
  const board = new Scoreboard(createScoreboardMemory({ workers: 1, slots: 64 }), 0);
  const pools = new Map(
    Object.entries(config.pools).map(([name, pool]) => [
      name,
      new Pool(name, pool, { board, slots, random: () => 0.5 }),
    ]),
  );
  const { contentTypes } = config;
  const deps = { clock: { wallMs: () => 0 }, random: () => 0.5, dropsKeys: false, contentTypes };
  const accessLog = () => new AccessLog(combined, scope, { write() {} }, false);
  const servers = config.servers.map(
    (server) => new Server(server, { ...deps, scope, pools, accessLog, traces: false }),
  );
  return new VirtualServers(servers, servers[0]!);
}

/** What a client would see. A request that is forwarded says so, with its pool and the target that the engine gets. */
export interface Seen {
  readonly status: number;
  readonly location?: string | undefined;
  readonly body?: string | undefined;
}

export function see(servers: VirtualServers, text: string): Seen {
  const context = contextOf(text);
  const server = servers.find(context);
  context.serverName = server.name;
  const { route, response, outcome } = server.route(context, false);
  if (response !== undefined) return seeResponse(response, route, server, context);
  if (outcome !== undefined) return seeError(outcome.status, route, server, context);
  return seeForwarded(route, server, context);
}

function seeForwarded(route: Route, server: Server, context: RequestContext): Seen {
  const destination = route.destination(context);
  if (destination === undefined) return seeError(502, route, server, context);
  const { pool, uri } = destination;
  // A pool of this name stands for engines that are all dead.
  if (pool.name === "dead") return seeError(502, route, server, context);
  return { status: 200, body: `${pool.name} gets ${uri}` };
}

function seeResponse(
  response: ReturnedReply,
  route: Route | undefined,
  server: Server,
  context: RequestContext,
): Seen {
  if (response.text === undefined && response.status >= 400) {
    return seeError(response.status, route, server, context);
  }
  return seeReturned(response, context, route?.responses);
}

function seeError(
  status: number,
  route: Route | undefined,
  server: Server,
  context: RequestContext,
): Seen {
  const page = errorPage(status, route, server, context);
  if (page === undefined) return { status };
  if (page.response !== undefined)
    return seeReturned(page.response, context, page.route?.responses);
  const seen = seeForwarded(page.route, server, context);
  return page.status === 0 ? seen : { ...seen, status: page.status };
}

/** The answer by its header lines. The proxy's own error bodies are none of nginx's. */
export function seeReturned(
  response: ReturnedReply,
  context: RequestContext,
  rules?: ResponseRules,
): Seen {
  let seen: Seen | undefined;
  const local = (status: number, _: string, lines: string, body: Buffer) => {
    const location = /^Location: (.*)\r$/m.exec(lines)?.[1];
    const own = /application\/json/.test(lines) || location !== undefined;
    seen = { status, location, body: own ? undefined : body.toString("latin1") };
  };
  returnedReply({ local, rules } as unknown as ClientResponse, context, response);
  return seen!;
}
