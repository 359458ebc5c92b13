/** An address at which the proxy listens for ZeroMQ peers: `tcp://HOST:PORT`, or `tcp://*:PORT` for all addresses. */
import { parseHostAndPort } from "./engine-url.ts";

export interface ZmqAddress {
  /** Undefined = all addresses. */
  readonly host: string | undefined;
  readonly port: number;
}

/** Undefined = it is none. */
export function parseZmqAddress(text: string): ZmqAddress | undefined {
  const [, authority] = /^tcp:\/\/([^/]*)$/.exec(text) ?? [];
  if (authority === undefined) return undefined;
  const everywhere = /^\*:/.test(authority);
  const parsed = parseHostAndPort(authority.replace(/^\*:/, "0.0.0.0:"), 0);
  if ("problem" in parsed || parsed.port === 0) return undefined;
  return { host: everywhere ? undefined : parsed.host, port: parsed.port };
}

export function formatZmqAddress({ host = "*", port }: ZmqAddress): string {
  return `tcp://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
