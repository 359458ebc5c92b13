/** What is served: servers, their routes and pools, as resolved with what was discovered. */
import { z } from "zod";
import { modelEntries } from "../../config/model-routes.ts";
import { policyLabel } from "../../config/schema/pool/short-form.ts";
import type { Config, RouteConfig, ServerConfig } from "../../config/schema/schema.ts";
import { listenKey } from "../../config/values/listen-key.ts";
import { maskText } from "../../config/values/secrets.ts";
import { type RouteParts, routeParts } from "../discovery/route-pools.ts";
import { json } from "./response.ts";
import type { AdminRoute } from "./route.ts";
import { count, named } from "./schemas.ts";

/** Where requests go: of all models of a route, or of one. */
const placeSchema = z.object({
  dialect: z.string().optional().describe("Of a prefill. `auto` = not detected yet."),
  pools: z
    .object({
      encode: z.string().optional(),
      prefill: z.array(z.string()).optional(),
      decode: z.array(z.string()).describe("Without a prefill: for whole requests."),
    })
    .describe("As far as the configuration alone determines it."),
});

const modelSchema = named(
  "RouteModel",
  z.object({
    model: z
      .string()
      .describe("A name, `name*`, an expression after `~`, or `auto` = what the engines list."),
    engineModel: z.string().optional().describe("The name by which its engines know it."),
    weight: count.describe("Share of the requests among entries of one model. 0 = none."),
    ...placeSchema.shape,
  }),
);

const routeSchema = named(
  "Route",
  z.object({
    match: z.string().describe("The kind of match and the path, such as `prefix /`."),
    internal: z.boolean().describe("Not for clients."),
    ...placeSchema.shape,
    target: z.string().optional().describe("A template of a URL, where no pool is named."),
    models: z
      .array(modelSchema)
      .optional()
      .describe("Absent = the route has one model. Else what each of them has of the above."),
    aliases: z.record(z.string(), z.string()).optional().describe("Other names of its models."),
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
  const { match, internal, modelAliases } = route;
  const parts = routeParts(config, server, route);
  const entries = modelEntries(route);
  return {
    match: `${match.kind} ${match.path}`,
    internal,
    ...placeOf(parts),
    ...(route.target && "url" in route.target && { target: maskText(route.target.url) }),
    ...(entries.length > 0 && {
      models: entries.map(({ model, engineModel, weight }, index) => ({
        model,
        ...(engineModel !== undefined && { engineModel }),
        weight,
        ...placeOf([parts[index]!]),
      })),
    }),
    ...(Object.keys(modelAliases).length > 0 && { aliases: modelAliases }),
  };
}

/** Of all these together. */
function placeOf(parts: readonly RouteParts[]): z.input<typeof placeSchema> {
  const pools = (of: (one: RouteParts) => readonly string[]) => [...new Set(parts.flatMap(of))];
  const encode = pools((one) => one.encode);
  const prefill = pools((one) => one.prefill);
  const split = parts.filter((one) => one.route.prefill !== undefined);
  const dialects = [...new Set(split.map((one) => one.route.dialect))];
  return {
    ...(split.length > 0 && { dialect: dialects.join(", ") }),
    pools: {
      ...(encode.length > 0 && { encode: encode.join(", ") }),
      ...(split.length > 0 && { prefill }),
      decode: pools((one) => [...one.decode, ...one.whole]),
    },
  };
}
