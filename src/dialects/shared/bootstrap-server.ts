/** The bootstrap server of a prefill engine, at which decode engines find it (SGLang, Mooncake). */

import type { EngineAttributes, OtherPort } from "../definition.ts";
import type { EngineInfo } from "../dialect.ts";

const defaultPort = "8998";

export const bootstrapServer: OtherPort = {
  attribute: "bootstrap_port",
  otherwise: Number(defaultPort),
  hostAttribute: "bootstrap_host",
};

/** @param portFrom where the port is found if it is not configured; "" = nowhere */
export function bootstrapAttributes(portFrom: string): EngineAttributes {
  return {
    bootstrap_port: {
      of: "prefill",
      meaning: "port of its bootstrap server",
      default: `${portFrom}8998`,
    },
    bootstrap_host: {
      of: "prefill",
      meaning: "host of its bootstrap server",
      default: "the engine's own host",
    },
  };
}

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
