/** The name of an address to listen on. */
import { isIP } from "node:net";

/** `0.0.0.0:80`, `[::]:80` or `unix:/path`: two listens with one key are the same address. */
export function listenKey(listen: {
  readonly host: string;
  readonly port?: number | undefined;
  readonly unixPath?: string | undefined;
}): string {
  const { host, port, unixPath } = listen;
  if (unixPath !== undefined) return `unix:${unixPath}`;
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port ?? 80}`;
}
