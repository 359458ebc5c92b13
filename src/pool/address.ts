/** Where an engine listens, from the `url` of its configuration. */
import { type EngineAddress, parseEngineUrl } from "../config/values/engine-url.ts";

/** `key` tells one address from another, and is how logs name it. */
export type Address = {
  readonly key: string;
  /** Whether it is reached with TLS. */
  readonly isTls?: boolean;
} & (
  | { readonly host: string; readonly port: number; readonly path?: never }
  | { readonly path: string; readonly host?: never; readonly port?: never }
);

/** Throws for what `checkConfig` would have refused. */
export function parseAddress(url: string): Address {
  const parsed = parseEngineUrl(url);
  if ("problem" in parsed) throw new Error(`engine url "${url}": ${parsed.problem}`);
  return addressOf(parsed.address);
}

export function addressOf(address: EngineAddress): Address {
  const isTls = address.isTls === true && { isTls: true };
  if ("unixPath" in address) {
    return { key: `unix:${address.unixPath}`, path: address.unixPath, ...isTls };
  }
  const { host, port } = address;
  const key = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  return { key, host, port, ...isTls };
}
