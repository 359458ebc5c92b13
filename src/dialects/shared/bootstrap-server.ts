/** Where the bootstrap server of a prefill engine is, at which decode engines find it (SGLang, Mooncake). */

import type { EngineInfo } from "../dialect.ts";

const defaultPort = "8998";

/** As it stands in a URL: engines put host and port together without looking. */
export function bootstrapHostOf({ host, attributes }: EngineInfo): string {
  return hostInUrl(attributes["bootstrap_host"] ?? host);
}

/** Its digits. */
export function bootstrapPortOf({ attributes }: EngineInfo): string {
  return portOr(attributes["bootstrap_port"], defaultPort);
}

export function hostInUrl(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}

export function portOr(port: string | undefined, otherwise: string): string {
  return port !== undefined && /^[1-9]\d{0,4}$/.test(port) ? port : otherwise;
}
