/** Which pools a route's prefill and decode go to, as far as the configuration alone tells it. */
import type { Config, RouteConfig, ServerConfig } from "../../config/schema/schema.ts";
import type { LegName } from "../../dialects/dialect.ts";

/** Names of pools. Empty where only a request's variables decide. */
export type RoutePools = Readonly<Record<LegName, readonly string[]>>;

/** Undefined for a route without a prefill. */
export function routePools(
  config: Config,
  server: ServerConfig,
  route: RouteConfig,
): RoutePools | undefined {
  const { prefill } = route;
  if (prefill === undefined) return undefined;
  const decode = targetPools(config, route);
  if ("pool" in prefill) return { prefill: [prefill.pool], decode };
  const { location } = prefill;
  // The prefill's path is the location with the request's own path behind it.
  const takers = server.routes.filter(
    ({ match }) => match.path.startsWith(location) || location.startsWith(match.path),
  );
  const longest = Math.max(
    ...takers.map(({ match }) => Math.min(match.path.length, location.length)),
  );
  const nearest = takers.filter(({ match }) => match.path.length >= longest);
  return { prefill: [...new Set(nearest.flatMap((taker) => targetPools(config, taker)))], decode };
}

function targetPools(config: Config, { target }: RouteConfig): readonly string[] {
  if (target === undefined) return [];
  if ("pool" in target) return [target.pool];
  const [, host = ""] = /^http:\/\/([^/?]*)/.exec(target.url) ?? [];
  return Object.hasOwn(config.pools, host) ? [host] : [];
}
