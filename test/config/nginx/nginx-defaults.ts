/** nginx's defaults, as its documentation has them, by the names of the configuration. */
import { isDeepStrictEqual } from "node:util";

export const serverDefaults = {
  names: [""],
  headerTimeoutMs: 60_000,
  keepAliveTimeoutMs: 75_000,
  keepAliveRequests: 1000,
  headBytesMax: 1024 + 4 * 8192,
};

export const routeDefaults = {
  absoluteRedirects: {},
  requestId: false,
  connectTimeoutMs: 60_000,
  sendTimeoutMs: 60_000,
  readTimeoutMs: 60_000,
  clientSendTimeoutMs: 60_000,
  bodyTimeoutMs: 60_000,
  bodyBytesMax: 1_048_576,
  retry: { on: ["error", "timeout"], rules: "nginx", budget: { share: 0 } },
};

export const proxiedRouteDefaults = {
  ...routeDefaults,
  setHeaders: { Host: "$proxy_host" },
  hideHeaders: [
    "Date",
    "Server",
    "X-Pad",
    "X-Accel-Expires",
    "X-Accel-Redirect",
    "X-Accel-Limit-Rate",
    "X-Accel-Buffering",
    "X-Accel-Charset",
  ],
};

export const poolDefaults = { ejection: { rule: "max_fails" } };

const errorLogDefault = { level: "error" };

interface Brief {
  pools?: Record<string, Record<string, unknown>>;
  errorLog?: Record<string, unknown>;
  servers: (Record<string, unknown> & { routes?: Record<string, unknown>[] })[];
}

/** Leaves out what nginx's defaults say, so that a golden file shows what its configuration says. */
export function withoutNginxDefaults<Config extends Brief>(config: Config): Config {
  const servers = config.servers.map(({ routes = [], ...server }) => ({
    ...without(server, serverDefaults),
    routes: routes.map((route) => without(route, proxiedRouteDefaults)),
  }));
  const pools = Object.entries(config.pools ?? {}).map(([name, pool]) => [
    name,
    without(pool, poolDefaults),
  ]);
  const { errorLog, ...others } = config;
  const isDefault = isDeepStrictEqual(errorLog, errorLogDefault);
  return {
    ...(isDefault ? others : config),
    ...(config.pools && { pools: Object.fromEntries(pools) }),
    servers,
  } as Config;
}

function without(value: Record<string, unknown>, defaults: Record<string, unknown>) {
  const kept = Object.entries(value).filter(
    ([key, member]) => !isDeepStrictEqual(member, defaults[key]),
  );
  return Object.fromEntries(kept);
}
