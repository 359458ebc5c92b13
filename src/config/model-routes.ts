/** A route of several models as one route for each of its entries: pools and dialect are the entry's. */
import type { RouteConfig } from "./schema/schema.ts";
import { autoModels } from "./values/auto-models.ts";

type Entries = Exclude<NonNullable<RouteConfig["models"]>, typeof autoModels>;
type Entry = Entries[number];

const listedByEngines: Entry = { model: autoModels, weight: 1 };

/** Empty = the route has one model. */
export function modelEntries({ models }: RouteConfig): readonly Entry[] {
  return models === autoModels ? [listedByEngines] : (models ?? []);
}

/** As if the entry's model were all that there is. */
export function entryRoute({ models: _, ...route }: RouteConfig, entry: Entry): RouteConfig {
  const { target, dialect = route.dialect } = entry;
  const { prefill: _prefill, encode: _encode, ...withoutLegs } = route;
  return {
    ...(target === undefined ? route : { ...withoutLegs, target }),
    ...(entry.prefill && { prefill: entry.prefill }),
    ...(entry.encode && { encode: entry.encode }),
    dialect,
  };
}

/** The route itself if it has one model. */
export function legRoutes(route: RouteConfig): readonly RouteConfig[] {
  const entries = modelEntries(route);
  return entries.length === 0 ? [route] : entries.map((entry) => entryRoute(route, entry));
}

/** The same without entries that get no requests: what may be needed to serve the route. */
export function servingRoutes(route: RouteConfig): readonly RouteConfig[] {
  const entries = modelEntries(route).filter(({ weight }) => weight > 0);
  return entries.length === 0 ? legRoutes(route) : entries.map((entry) => entryRoute(route, entry));
}

/** The same route with other dialects, for each entry's own too. */
export function withDialects(
  route: RouteConfig,
  dialectOf: (one: RouteConfig) => RouteConfig["dialect"],
): RouteConfig {
  const { models } = route;
  const dialect = dialectOf(route);
  if (models === undefined || models === autoModels) return { ...route, dialect };
  const entries = models.map((entry) => ({
    ...entry,
    dialect: dialectOf(entryRoute(route, entry)),
  }));
  return { ...route, dialect, models: entries };
}
