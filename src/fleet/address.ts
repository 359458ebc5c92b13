/** Where an engine listens, from the `url` of its configuration. */
import { parseEngineUrl } from "../config/engine-url.ts";

/** `key` tells one address from another, and is how logs name it. */
export type Address =
  | { readonly key: string; readonly host: string; readonly port: number; readonly path?: never }
  | { readonly key: string; readonly path: string; readonly host?: never; readonly port?: never };

/** Throws for what `checkConfig` would have refused. */
export function parseAddress(url: string): Address {
  const parsed = parseEngineUrl(url);
  if ("problem" in parsed) throw new Error(`engine url "${url}": ${parsed.problem}`);
  if ("unixPath" in parsed) return { key: `unix:${parsed.unixPath}`, path: parsed.unixPath };
  const { host, port } = parsed;
  return { key: host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`, host, port };
}
