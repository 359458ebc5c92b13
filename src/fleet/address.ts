/** Where an engine listens, from the `url` of its configuration. */

export type Address =
  | { readonly key: string; readonly host: string; readonly port: number; readonly path?: never }
  | { readonly key: string; readonly path: string; readonly host?: never; readonly port?: never };

const hostPort = /^(?:http:\/\/)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?\/?$/;

/** `http://host:port`, `host:port`, `host` (port 80) or `unix:/path`; `undefined` when it is none of them. */
export function parseAddress(url: string): Address | undefined {
  const unix = /^(?:http:\/\/)?unix:(\/[^:]+):?$/.exec(url);
  if (unix) return { key: `unix:${unix[1]}`, path: unix[1]! };
  const match = hostPort.exec(url);
  if (!match) return undefined;
  const port = match[2] === undefined ? 80 : Number(match[2]);
  if (port < 1 || port > 65_535) return undefined;
  return { key: `${match[1]}:${port}`, host: match[1]!.replace(/^\[|\]$/g, ""), port };
}
