/** What is served: servers, their routes and pools, as resolved with what was discovered. */
import { z } from "zod";
import { policyLabel } from "../../config/schema/pool/short-form.ts";
import type { Config, RouteConfig, ServerConfig } from "../../config/schema/schema.ts";
import { listenKey } from "../../config/values/listen-key.ts";
import { maskText } from "../../config/values/secrets.ts";
import { type RouteParts, routeParts } from "../discovery/route-pools.ts";
import { json } from "./response.ts";
import type { AdminRoute } from "./route.ts";
import { count, named } from "./schemas.ts";

const routeSchema = named(
  "Route",
  z.object({
    match: z.string().describe("The kind of match and the path, such as `prefix /`."),
    internal: z.boolean().describe("Not for clients."),
    dialect: z
      .string()
      .optional()
      .describe("Of a route with a prefill. `auto` = not detected yet."),
    pools: z
      .object({
        encode: z.string().optional(),
        prefill: z.array(z.string()).optional(),
        decode: z.array(z.string()).describe("Of a route without a prefill: for whole requests."),
      })
      .describe("Of all models of the route, as far as the configuration alone determines it."),
    target: z.string().optional().describe("A template of a URL, where no pool is named."),
  }),
);

const servedSchema = named(
  "Served",
  z.object({
    servers: z.array(
      z.object({
        listen: z.array(z.string()),
        names: z.array(z.string()).readonly(),
        routes: z.array(routeSchema),
      }),
    ),
    pools: z.array(
      z.object({
        pool: z.string(),
        policy: z.string(),
        queue: z.string().optional().describe("The ordering of its queue, if it has one."),
        shadow: z.string().optional(),
        engines: count,
      }),
    ),
  }),
);

export const servedRoute: AdminRoute = {
  group: "configuration",
  method: "GET",
  path: "/admin/routes",
  id: "listRoutes",
  summary: "Servers, their routes and pools, with dialects as detected and policies in force.",
  responses: { 200: servedSchema },
  respond: ({ source }) => json(200, served(source.resolved)),
};

function served(config: Config): z.input<typeof servedSchema> {
  return {
    servers: config.servers.map((server) => ({
      listen: server.listen.map(listenKey),
      names: server.names,
      routes: server.routes.map((route) => routeOf(config, server, route)),
    })),
    pools: Object.entries(config.pools).map(([pool, one]) => ({
      pool,
      policy: policyLabel(one),
      ...(one.queue && { queue: one.queue.order }),
      ...(one.shadow && { shadow: one.shadow.name }),
      engines: one.engines.length,
    })),
  };
}

function routeOf(
  config: Config,
  server: ServerConfig,
  route: RouteConfig,
): z.input<typeof routeSchema> {
  const { match, internal, target } = route;
  const parts = routeParts(config, server, route);
  const pools = (of: (one: RouteParts) => readonly string[]) => [...new Set(parts.flatMap(of))];
  const encode = pools((one) => one.encode);
  const prefill = pools((one) => one.prefill);
  const split = parts.filter((one) => one.route.prefill !== undefined);
  const dialects = [...new Set(split.map((one) => one.route.dialect))];
  return {
    match: `${match.kind} ${match.path}`,
    internal,
    ...(split.length > 0 && { dialect: dialects.join(", ") }),
    pools: {
      ...(encode.length > 0 && { encode: encode.join(", ") }),
      ...(split.length > 0 && { prefill }),
      decode: pools((one) => [...one.decode, ...one.whole]),
    },
    ...(target && "url" in target && { target: maskText(target.url) }),
  };
}
