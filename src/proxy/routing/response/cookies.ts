/** Cookies of engines as clients get them: nginx's `proxy_cookie_domain`, `proxy_cookie_path`, `proxy_cookie_flags`. */
import type { RouteConfig } from "../../../config/schema/schema.ts";
import { isCookieFlag } from "../../../config/values/cookie-flag.ts";
import { FieldId } from "../../../http1/fields/field-ids.ts";
import type { HeaderFields } from "../../../http1/fields/header-fields.ts";
import type { RequestContext } from "../../context/request-context.ts";
import { singleLine, utf8 } from "../header-text.ts";
import { compileRegex } from "../regex.ts";
import type { Render } from "../render.ts";
import type { VariableScope } from "../template.ts";

type CookiesConfig = NonNullable<RouteConfig["cookies"]>;

/** The first is the cookie itself; of a flag the value is undefined. */
interface Attribute {
  name: string;
  value: string | undefined;
}

/** The value for the client; undefined = this rule says nothing of it. */
type Rule = (context: RequestContext, value: string) => string | undefined;

interface FlagsRule {
  readonly matches: (context: RequestContext, name: string) => boolean;
  readonly flags: readonly Render[];
}

const sameSites: ReadonlyMap<string, string> = new Map([
  ["samesite=strict", "Strict"],
  ["samesite=lax", "Lax"],
  ["samesite=none", "None"],
]);

export class Cookies {
  readonly #domains: readonly Rule[];
  readonly #paths: readonly Rule[];
  readonly #flags: readonly FlagsRule[];

  private constructor({ domains, paths, flags }: CookiesConfig, scope: VariableScope) {
    this.#domains = domains.map((rule) => domainRule(rule, scope));
    this.#paths = paths.map((rule) => pathRule(rule, scope));
    this.#flags = flags.map(({ cookie, set }) => {
      return { matches: nameTest(cookie, scope), flags: set.map((flag) => scope.compile(flag)) };
    });
  }

  /** Undefined = they stay as they are. */
  static of(config: RouteConfig["cookies"], scope: VariableScope): Cookies | undefined {
    return config && new Cookies(config, scope);
  }

  /** Header lines in place of those of the head, each with its CRLF; undefined = they go on as they are. */
  lines(context: RequestContext, fields: HeaderFields): string | undefined {
    if (!fields.has(FieldId.SetCookie)) return undefined;
    let lines = "";
    for (let i = 0; i < fields.count; i += 1) {
      if (fields.id(i) !== FieldId.SetCookie) continue;
      const value = fields.value(i);
      lines += `Set-Cookie: ${this.#rewritten(context, value) ?? value}\r\n`;
    }
    return lines;
  }

  #rewritten(context: RequestContext, value: string): string | undefined {
    const attributes = value.split(";").map(readAttribute);
    const [cookie, ...others] = attributes;
    if (cookie?.value === undefined) return undefined;
    let changed = false;
    for (const attribute of others) {
      const rules = this.#rulesOf(attribute.name);
      const rewritten = firstOf(rules, context, attribute.value);
      if (rewritten === undefined) continue;
      attribute.value = singleLine(rewritten);
      changed = true;
    }
    const flags = this.#flagsOf(context, cookie.name);
    const kept = flags.size === 0 ? others : withFlags(others, flags);
    return changed || flags.size > 0 ? [cookie, ...kept].map(written).join("; ") : undefined;
  }

  #rulesOf(name: string): readonly Rule[] {
    const lower = name.toLowerCase();
    if (lower === "domain") return this.#domains;
    return lower === "path" ? this.#paths : [];
  }

  #flagsOf(context: RequestContext, name: string): Set<string> {
    const rule = this.#flags.find(({ matches }) => matches(context, name));
    const given = rule?.flags.map((flag) => flag(context).toLowerCase()) ?? [];
    return new Set(given.filter((flag) => isCookieFlag(flag)));
  }
}

function readAttribute(text: string): Attribute {
  const equals = text.indexOf("=");
  if (equals < 0) return { name: text.trim(), value: undefined };
  return { name: text.slice(0, equals).trim(), value: text.slice(equals + 1).trim() };
}

function written({ name, value }: Attribute): string {
  return value === undefined ? name : `${name}=${value}`;
}

function firstOf(rules: readonly Rule[], context: RequestContext, value: string | undefined) {
  if (value === undefined) return undefined;
  for (const rule of rules) {
    const rewritten = rule(context, value);
    if (rewritten !== undefined) return rewritten;
  }
  return undefined;
}

/** In nginx's order; what a cookie has already keeps its place. */
function withFlags(attributes: readonly Attribute[], flags: ReadonlySet<string>): Attribute[] {
  const sameSite = [...sameSites].find(([flag]) => flags.has(flag))?.[1];
  const kept: Attribute[] = [];
  const there = new Set<string>();
  for (const attribute of attributes) {
    const name = attribute.name.toLowerCase();
    if (name === "secure" || name === "httponly") {
      there.add(name);
      if (flags.has(name) || !flags.has(`no${name}`)) kept.push(attribute);
    } else if (name === "samesite" && sameSite !== undefined) {
      there.add(name);
      const isSame = attribute.value?.toLowerCase() === sameSite.toLowerCase();
      kept.push(isSame ? attribute : { name: "SameSite", value: sameSite });
    } else if (name !== "samesite" || !flags.has("nosamesite")) kept.push(attribute);
  }
  const isMissing = (name: string) => flags.has(name) && !there.has(name);
  if (isMissing("secure")) kept.push({ name: "Secure", value: undefined });
  if (isMissing("httponly")) kept.push({ name: "HttpOnly", value: undefined });
  if (sameSite !== undefined && !there.has("samesite"))
    kept.push({ name: "SameSite", value: sameSite });
  return kept;
}

interface RuleConfig {
  readonly from: string;
  readonly to: string;
}

/** All of the domain, but for a dot before it, which stays. */
function domainRule({ from, to }: RuleConfig, scope: VariableScope): Rule {
  if (from.startsWith("~")) return regexRule(from.slice(1), "i", to, scope);
  const domain = scope.compile(utf8(from.replace(/^\./, "")));
  const render = scope.compile(utf8(to.replace(/^\./, "")));
  return (context, value) => {
    const dot = value.startsWith(".") ? "." : "";
    const isIt = domain(context).toLowerCase() === value.slice(dot.length).toLowerCase();
    return isIt ? dot + render(context) : undefined;
  };
}

/** The beginning of the path, or all of it by a regular expression. */
function pathRule({ from, to }: RuleConfig, scope: VariableScope): Rule {
  const [, star, pattern = ""] = /^~(\*?)(.*)$/s.exec(from) ?? [];
  if (star !== undefined) return regexRule(pattern, star === "" ? "" : "i", to, scope);
  const prefix = scope.compile(utf8(from));
  const render = scope.compile(utf8(to));
  return (context, value) => {
    const start = prefix(context);
    return value.startsWith(start) ? render(context) + value.slice(start.length) : undefined;
  };
}

function regexRule(pattern: string, flags: string, to: string, scope: VariableScope): Rule {
  const matches = compileRegex(pattern, flags, scope);
  const render = scope.compile(utf8(to));
  return (context, value) => (matches(context, value) ? render(context) : undefined);
}

function nameTest(cookie: string, scope: VariableScope): FlagsRule["matches"] {
  if (cookie.startsWith("~")) return compileRegex(cookie.slice(1), "i", scope);
  const name = scope.compile(utf8(cookie));
  return (context, given) => name(context).toLowerCase() === given.toLowerCase();
}
