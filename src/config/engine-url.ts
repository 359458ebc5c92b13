/** Reads the address of an engine out of its URL. */
import { isIPv6 } from "node:net";

export type EngineAddress =
  | { readonly host: string; readonly port: number }
  | { readonly unixPath: string };

const hostName = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?$/;

/** `http://host:port`, `host:port`, a host alone (port 80) or `unix:/path`; otherwise what is wrong, as half a sentence. */
export function parseEngineUrl(url: string): EngineAddress | { readonly problem: string } {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(url)?.[1]?.toLowerCase();
  if (scheme === "https") return { problem: "engines are reached over http, not https" };
  if (scheme !== undefined && scheme !== "http") {
    return { problem: `the scheme must be http, not ${scheme}` };
  }
  const address = scheme === undefined ? url : url.slice("http://".length);
  if (address.startsWith("unix:")) return parseUnix(address.slice("unix:".length));
  const authority = address.replace(/\/$/, "");
  if (/[/?#]/.test(authority)) return { problem: "an engine has no path, only a host and a port" };
  if (authority.includes("@")) return { problem: "an engine has no user name" };
  return parseHostAndPort(authority, 80);
}

function parseUnix(rest: string): EngineAddress | { readonly problem: string } {
  const unixPath = rest.replace(/:$/, "");
  if (!unixPath.startsWith("/")) return { problem: "the path of a unix socket begins with /" };
  return { unixPath };
}

/** A host and a port; IPv6 hosts stand in brackets. Without a port, `defaultPort`. */
export function parseHostAndPort(
  text: string,
  defaultPort: number,
): { host: string; port: number } | { readonly problem: string } {
  if (/:.*:/.test(text) && !text.startsWith("[")) {
    return { problem: "an IPv6 address stands in brackets, as [::1]:80" };
  }
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(.*))?$/.exec(text);
  if (match === null) return { problem: "it is not host:port" };
  const [, bracketed, plain, portText] = match;
  const host = bracketed ?? plain ?? "";
  if (bracketed !== undefined && !isIPv6(bracketed)) {
    return { problem: "what stands in brackets is not an IPv6 address" };
  }
  if (bracketed === undefined && !isHostName(host)) {
    return {
      problem: host === "" ? "the host is missing" : "the host is not a name or an address",
    };
  }
  if (portText === undefined) return { host, port: defaultPort };
  const port = /^\d{1,5}$/.test(portText) ? Number(portText) : 0;
  if (port < 1 || port > 65_535) return { problem: `${portText || "nothing"} is not a port` };
  return { host, port };
}

/** A name or an IPv4 address. All digits and dots must make an address, since a resolver would read `1.2` as one too. */
export function isHostName(text: string): boolean {
  if (/^[0-9.]+$/.test(text)) return isIPv4Quad(text);
  return hostName.test(text);
}

function isIPv4Quad(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256);
}
