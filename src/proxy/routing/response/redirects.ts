/**
 * Redirects of engines as clients can follow them: a `Location` that names an engine, or the pool that the engine got
 * as its host, becomes the route's own path (nginx's `proxy_redirect`).
 */
import type { RouteConfig } from "../../../config/schema/schema.ts";
import { FieldId } from "../../../http1/fields/field-ids.ts";
import type { HeaderFields } from "../../../http1/fields/header-fields.ts";
import type { Pool } from "../../../pool/pool.ts";
import type { RequestContext } from "../../context/request-context.ts";
import { percentEncode } from "../percent.ts";
import { compileRegex } from "../regex.ts";
import type { VariableScope } from "../template.ts";
import type { Complete } from "./absolute-location.ts";

/** The value for the client; undefined = this rule says nothing of it. */
type Rule = (context: RequestContext, value: string, pool: Pool) => string | undefined;

/** Templates have variables that a client fills; heads are written as latin1. */
const notInHeader = /[\x00-\x1f\x7f\u{100}-\u{10ffff}]/gu;
/** What stands before the URL of a `Refresh`, the URL, what stands behind it: browsers take it in quotes, nginx not. */
const refreshUrl = /^(.*?url\s*=\s*["']?)([^"']*)(.*)$/is;
const nginxRefreshUrl = /^(.*?url=)(.*)$/is;
const names = new Map<number, string>([
  [FieldId.Location, "Location"],
  [FieldId.Refresh, "Refresh"],
  [FieldId.ContentLocation, "Content-Location"],
  [FieldId.Link, "Link"],
]);
/** Headers that say where something is. */
export const locating: readonly string[] = [...names.values()];
/** Those of them that nginx leaves alone. */
const notOfNginx: ReadonlySet<string> = new Set(["Content-Location", "Link"]);
/** A `Link` has each URL in angle brackets (RFC 8288), and may have several. */
const linkUrl = /<([^>]*)>/g;

export class Redirects {
  readonly #rules: readonly Rule[];
  /** Engines' own addresses count, and other headers, too. */
  readonly #byAddress: boolean;
  readonly #complete: Complete;

  constructor(config: RouteConfig, scope: VariableScope, complete: Complete) {
    this.#complete = complete;
    this.#byAddress = config.byEndpoint;
    this.#rules = config.redirects.flatMap((redirect): Rule[] => {
      if (redirect !== "default") return [ruleOf(redirect, scope)];
      return config.byEndpoint ? [ofEngine(config)] : ofPass(config);
    });
  }

  /** Header lines in place of those of the head, each with its CRLF; undefined = they go on as they are. */
  lines(context: RequestContext, fields: HeaderFields, pool: Pool | undefined): string | undefined {
    const isThere =
      fields.has(FieldId.Location) ||
      fields.has(FieldId.Refresh) ||
      fields.has(FieldId.ContentLocation) ||
      fields.has(FieldId.Link);
    if (!isThere || pool === undefined || this.#rules.length === 0) return undefined;
    let lines = "";
    let changed = false;
    for (let i = 0; i < fields.count; i += 1) {
      const name = names.get(fields.id(i));
      if (name === undefined) continue;
      const value = this.#value(context, name, fields.value(i), pool);
      changed ||= value !== undefined;
      lines += `${name}: ${value ?? fields.value(i)}\r\n`;
    }
    return changed ? lines : undefined;
  }

  #value(context: RequestContext, name: string, value: string, pool: Pool): string | undefined {
    if (notOfNginx.has(name) && !this.#byAddress) return undefined;
    if (name === "Link") return this.#links(context, value, pool);
    const refresh = this.#byAddress ? refreshUrl : nginxRefreshUrl;
    const [, before = "", target = value, after = ""] =
      name === "Refresh" ? (refresh.exec(value) ?? []) : [];
    const rewritten = this.#url(context, target, pool);
    if (rewritten === undefined) return undefined;
    if (name === "Location") return this.#complete(context, rewritten);
    return before + percentEncode(rewritten, notInHeader) + after;
  }

  #links(context: RequestContext, value: string, pool: Pool): string | undefined {
    const links = value.replace(linkUrl, (link, url: string) => {
      const rewritten = this.#url(context, url, pool);
      return rewritten === undefined ? link : `<${percentEncode(rewritten, notInHeader)}>`;
    });
    return links === value ? undefined : links;
  }

  /** By the first rule that says something of it. */
  #url(context: RequestContext, url: string, pool: Pool): string | undefined {
    for (const rule of this.#rules) {
      const rewritten = rule(context, url, pool);
      if (rewritten !== undefined) return rewritten;
    }
    return undefined;
  }
}

/** A part of the value, or a regular expression, is replaced as the configuration says. */
function ruleOf({ from, to }: { from: string; to: string }, scope: VariableScope): Rule {
  const render = scope.compile(to);
  if (from.startsWith("~")) {
    const ignoresCase = from.startsWith("~*");
    const flags = ignoresCase ? "i" : "";
    const matches = compileRegex(from.slice(ignoresCase ? 2 : 1), flags, scope);
    return (context, value) => (matches(context, value) ? render(context) : undefined);
  }
  const prefix = scope.compile(from);
  return (context, value) => {
    const start = prefix(context);
    return value.startsWith(start) ? render(context) + value.slice(start.length) : undefined;
  };
}

/** nginx's `default`: the text of `proxy_pass` becomes the location. With variables in it there is no such rule. */
function ofPass({ target, match }: RouteConfig): Rule[] {
  const url =
    target === undefined
      ? "$"
      : "pool" in target
        ? `http://${target.pool}${target.uri ?? ""}`
        : target.url;
  if (url.includes("$")) return [];
  const hasPath = /^http:\/\/[^/]*\//.test(url);
  const from = hasPath ? url : `${url}/`;
  const encryptedFrom = from.replace("http:", "https:");
  const to = hasPath ? match.path : "/";
  return [
    (_, value, pool) => {
      const start = pool.engines[0]?.address.isTls ? encryptedFrom : from;
      return value.startsWith(start) ? to + value.slice(start.length) : undefined;
    },
  ];
}

/** Whatever names an engine of the pool, or the pool itself, in any spelling. */
function ofEngine({ target, match }: RouteConfig): Rule {
  const uri = target !== undefined && "pool" in target ? (target.uri ?? "") : "";
  return (_, value, pool) => {
    const [, authority, path = ""] = /^(?:https?:)?\/\/([^/?#]*)(.*)$/is.exec(value) ?? [];
    if (authority === undefined || !isOfPool(authority, pool)) return undefined;
    if (uri !== "" && path.startsWith(uri)) return match.path + path.slice(uri.length);
    // Two slashes at its start would name a host.
    return path.startsWith("/") ? path.replace(/^\/+/, "/") : `/${path}`;
  };
}

function isOfPool(authority: string, pool: Pool): boolean {
  const host = authority.slice(authority.lastIndexOf("@") + 1).toLowerCase();
  const withPort = /:\d+$/.test(host) ? host : `${host}:80`;
  if (host === pool.name.toLowerCase()) return true;
  return pool.engines.some(({ address }) =>
    // Engines behind unix sockets get this host.
    address.host === undefined ? host === "localhost" : address.key.toLowerCase() === withPort,
  );
}
