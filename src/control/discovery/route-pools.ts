/** Which pools the prefill and decode of a route go to, as far as the configuration alone determines it. */
import { legRoutes } from "../../config/model-routes.ts";
import type { Config, RouteConfig, ServerConfig } from "../../config/schema/schema.ts";
import type { LegName } from "../../dialects/dialect.ts";

/** Names of pools; empty if variables of the request decide. */
export type RoutePools = Readonly<Record<LegName, readonly string[]>>;

/** Undefined for a route without a prefill. */
export function routePools(
  config: Config,
  server: ServerConfig,
  route: RouteConfig,
): RoutePools | undefined {
  return route.prefill && oneModelPools(config, server, route);
}

/** Of a route of one model. */
export function oneModelPools(
  config: Config,
  server: ServerConfig,
  route: RouteConfig,
): RoutePools {
  const { prefill } = route;
  const decode = targetPools(config, route);
  if (prefill === undefined) return { prefill: [], decode };
  return { prefill: legPools(config, server, prefill), decode };
}

/** Which pools do what in one route, or for one model of a route that has several. */
export interface RouteParts {
  readonly route: RouteConfig;
  readonly encode: readonly string[];
  /** Of requests that are split. */
  readonly prefill: readonly string[];
  readonly decode: readonly string[];
  /** Of requests that are not. */
  readonly whole: readonly string[];
}

/** One for each model. */
export function routeParts(config: Config, server: ServerConfig, route: RouteConfig): RouteParts[] {
  return legRoutes(route).map((one) => {
    const { prefill, decode } = oneModelPools(config, server, one);
    const isSplit = one.prefill !== undefined;
    return {
      route: one,
      encode: one.encode === undefined ? [] : legPools(config, server, one.encode),
      prefill,
      decode: isSplit ? decode : [],
      whole: isSplit ? [] : decode,
    };
  });
}

/** Of all routes. */
export function allRouteParts(config: Config): RouteParts[] {
  return config.servers.flatMap((server) =>
    server.routes.flatMap((route) => routeParts(config, server, route)),
  );
}

/** Of a leg before the target. */
function legPools(
  config: Config,
  server: ServerConfig,
  place: NonNullable<RouteConfig["prefill" | "encode"]>,
): readonly string[] {
  if ("pool" in place) return [place.pool];
  const { location } = place;
  // The path of the leg is the location followed by the path of the request.
  const matching = server.routes.filter(
    ({ match }) => match.path.startsWith(location) || location.startsWith(match.path),
  );
  const longest = Math.max(
    ...matching.map(({ match }) => Math.min(match.path.length, location.length)),
  );
  const nearest = matching.filter(({ match }) => match.path.length >= longest);
  return [...new Set(nearest.flatMap((other) => targetPools(config, other)))];
}

function targetPools(config: Config, { target }: RouteConfig): readonly string[] {
  if (target === undefined) return [];
  if ("pool" in target) return [target.pool];
  const [, host = ""] = /^http:\/\/([^/?]*)/.exec(target.url) ?? [];
  return Object.hasOwn(config.pools, host) ? [host] : [];
}
