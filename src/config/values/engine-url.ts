/** An engine's URL: its address, its data-parallel ranks and its attributes. */
import { isIP, isIPv6 } from "node:net";
import { dpRanksMax } from "../../limits.ts";
import { attributeHint, isEngineAttribute } from "./engine-attributes.ts";

/** `isTls`: it is reached by `https://`. */
export type EngineAddress = { readonly isTls?: boolean } & (
  | { readonly host: string; readonly port: number }
  | { readonly unixPath: string }
);

/** What a URL says about one engine, or about several ranks that share an address. */
export interface EngineUrl {
  readonly address: EngineAddress;
  /** Data-parallel ranks, each an engine of its own; -1 = no rank. Never empty. */
  readonly dpRanks: readonly number[];
  readonly attributes: Readonly<Record<string, string>>;
}

export interface UrlProblem {
  /** Half a sentence. */
  readonly problem: string;
  readonly hint?: string;
}

const noRank: readonly number[] = [-1];

const hostName = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?$/;

/** An address as `parseEngineAddress` reads it, then `@RANK` or `@FIRST-LAST`, then `?name=value&…`. */
export function parseEngineUrl(url: string): EngineUrl | UrlProblem {
  const question = url.indexOf("?");
  const attributes = question < 0 ? {} : readQuery(url.slice(question + 1));
  if (isProblem(attributes)) return attributes;
  const rest = question < 0 ? url : url.slice(0, question);
  const [, before, ranks] = /^(.*?)@([^@]*)$/s.exec(rest) ?? [];
  if (before === undefined || ranks === undefined) {
    const address = parseEngineAddress(rest);
    return "problem" in address ? address : { address, dpRanks: noRank, attributes };
  }
  const dpRanks = readRanks(ranks);
  // Without this check, `http://user@host` would name the host "user".
  if (dpRanks === undefined || !/:\d+$/.test(before)) {
    return {
      problem: "an engine has no user name",
      hint: `data-parallel ranks follow the port: host:port@0, or a range of at most ${dpRanksMax}`,
    };
  }
  const address = parseEngineAddress(before);
  return "problem" in address ? address : { address, dpRanks, attributes };
}

function isProblem(value: object): value is UrlProblem {
  return Object.hasOwn(value, "problem");
}

function readRanks(text: string): readonly number[] | undefined {
  const [, firstText, lastText] = /^(\d{1,4})(?:-(\d{1,4}))?\/?$/.exec(text) ?? [];
  if (firstText === undefined) return undefined;
  const first = Number(firstText);
  const last = Number(lastText ?? firstText);
  if (last < first || last >= dpRanksMax) return undefined;
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

function readQuery(query: string): Record<string, string> | UrlProblem {
  const attributes: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    if (!isEngineAttribute(name)) {
      return { problem: `unknown attribute "${name}"`, hint: attributeHint(name) };
    }
    if (value === "") return { problem: `attribute "${name}" has no value` };
    if (Object.hasOwn(attributes, name)) return { problem: `duplicate attribute "${name}"` };
    attributes[name] = value;
  }
  return attributes;
}

/**
 * @param url `http://host:port`, `https://host:port`, `host:port`, a host alone (port 80, of `https://` 443) or
 *   `unix:/path`
 */
export function parseEngineAddress(url: string): EngineAddress | { readonly problem: string } {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(url)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== "http" && scheme !== "https") {
    return { problem: `the scheme must be http or https, not ${scheme}` };
  }
  const address = scheme === undefined ? url : url.slice(`${scheme}://`.length);
  const parsed = parsePlace(address, scheme === "https" ? 443 : 80);
  return "problem" in parsed || scheme !== "https" ? parsed : { ...parsed, isTls: true };
}

function parsePlace(address: string, defaultPort: number): EngineAddress | { problem: string } {
  if (address.startsWith("unix:")) return parseUnix(address.slice("unix:".length));
  const authority = address.replace(/\/$/, "");
  if (/[/?#]/.test(authority)) return { problem: "an engine has no path, only a host and a port" };
  if (authority.includes("@")) return { problem: "an engine has no user name" };
  return parseHostAndPort(authority, defaultPort);
}

function parseUnix(rest: string): EngineAddress | { readonly problem: string } {
  const unixPath = rest.replace(/:$/, "");
  if (!unixPath.startsWith("/")) return { problem: "the path of a unix socket must begin with /" };
  return { unixPath };
}

/** A host and a port. IPv6 hosts stand in brackets. */
export function parseHostAndPort(
  text: string,
  defaultPort: number,
): { host: string; port: number } | { readonly problem: string } {
  if (/:.*:/.test(text) && !text.startsWith("[")) {
    return { problem: "an IPv6 address needs brackets, as in [::1]:80" };
  }
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(.*))?$/.exec(text);
  if (match === null) return { problem: "expected host:port" };
  const [, bracketed, plain, portText] = match;
  const host = bracketed ?? plain ?? "";
  if (bracketed !== undefined && !isIPv6(bracketed)) {
    return { problem: "the address in brackets is not IPv6" };
  }
  if (bracketed === undefined && !isHostName(host)) {
    return {
      problem: host === "" ? "the host is missing" : "the host is neither a name nor an address",
    };
  }
  if (portText === undefined) return { host, port: defaultPort };
  const port = /^\d{1,5}$/.test(portText) ? Number(portText) : 0;
  if (port < 1 || port > 65_535)
    return { problem: portText === "" ? "the port is missing" : `invalid port "${portText}"` };
  return { host, port };
}

/**
 * A name server: an address, and a port if it is not 53.
 * @returns as `Resolver.setServers` of node:dns takes it; undefined = it is no address
 */
export function parseNameServer(text: string): string | undefined {
  if (isIP(text) !== 0) return text;
  const parsed = parseHostAndPort(text, 53);
  if ("problem" in parsed || isIP(parsed.host) === 0) return undefined;
  const host = isIPv6(parsed.host) ? `[${parsed.host}]` : parsed.host;
  return `${host}:${parsed.port}`;
}

/**
 * A name or an IPv4 address. Digits and dots alone must be a full IPv4 address, since resolvers accept short forms such
 * as `1.2`.
 */
export function isHostName(text: string): boolean {
  if (/^[0-9.]+$/.test(text)) return isIPv4Quad(text);
  return hostName.test(text);
}

/** Whether only this machine reaches the address. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[|\]$/g, "");
  return name === "localhost" || name === "::1" || (name.startsWith("127.") && isIPv4Quad(name));
}

function isIPv4Quad(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256);
}
