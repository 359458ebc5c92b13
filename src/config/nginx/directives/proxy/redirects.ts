/** Directives about where redirects lead, and about cookies. */
import { isCookieFlag } from "../../../values/cookie-flag.ts";
import { flag, reading } from "../../reading/arguments.ts";
import { anyHttp } from "../../reading/context.ts";
import { type Directive, honoured } from "../../reading/directive.ts";
import type { Scope } from "../../reading/scope.ts";
import type { Word } from "../../syntax/lexer.ts";
import type { RouteInput } from "../http/location.ts";

export const proxyRedirect = honoured(
  "proxy_redirect",
  anyHttp,
  reading(1, 2, ([from, to], scope): "default" | "off" | { from: string; to: string } => {
    if (to === undefined) {
      if (from!.text === "default" || from!.text === "off") return from!.text;
      return scope.fail(`invalid parameter "${from!.text}"`, from);
    }
    const star = /^~\*?/.exec(from!.text)?.[0] ?? "";
    const pattern =
      star === ""
        ? scope.template(from!)
        : star + scope.regex(from!, from!.text.slice(star.length)).pattern;
    return { from: pattern, to: scope.template(to) };
  }),
  "`redirects`",
  { repeats: true, byDefault: "default" },
);

type Cookies = NonNullable<RouteInput["cookies"]>;
export type CookieRule = NonNullable<Cookies["paths"]>[number];
export type CookieFlags = NonNullable<Cookies["flags"]>[number];

function off(word: Word, scope: Scope): "off" {
  return word.text === "off" ? "off" : scope.fail(`invalid parameter "${word.text}"`, word);
}

/** Expressions after `~` ignore the case if there is no `~*` for that. */
function pattern(word: Word, scope: Scope, hasStar: boolean): string {
  const mark = (hasStar ? /^~\*?/ : /^~/).exec(word.text)?.[0];
  if (mark === undefined) return scope.template(word);
  return mark + scope.regex(word, word.text.slice(mark.length)).pattern;
}

export const proxyCookieDomain = honoured(
  "proxy_cookie_domain",
  anyHttp,
  reading(1, 2, ([from, to], scope): "off" | CookieRule =>
    to === undefined
      ? off(from!, scope)
      : { from: pattern(from!, scope, false), to: scope.template(to) },
  ),
  "`cookies.domains`",
  { repeats: true, byDefault: "off" },
);
export const proxyCookiePath = honoured(
  "proxy_cookie_path",
  anyHttp,
  reading(1, 2, ([from, to], scope): "off" | CookieRule =>
    to === undefined
      ? off(from!, scope)
      : { from: pattern(from!, scope, true), to: scope.template(to) },
  ),
  "`cookies.paths`",
  { repeats: true, byDefault: "off" },
);
export const proxyCookieFlags = honoured(
  "proxy_cookie_flags",
  anyHttp,
  reading(1, 5, ([cookie, ...flags], scope): "off" | CookieFlags => {
    if (flags.length === 0) return off(cookie!, scope);
    const set = flags.map((word) => {
      if (!(word.text.includes("$") || isCookieFlag(word.text.toLowerCase()))) {
        scope.fail(`invalid parameter "${word.text}"`, word);
      }
      return scope.template(word);
    });
    return { cookie: pattern(cookie!, scope, false), set };
  }),
  "`cookies.flags`",
  { repeats: true, byDefault: "off" },
);

export const absoluteRedirect = honoured(
  "absolute_redirect",
  anyHttp,
  flag,
  "whether there is `absoluteRedirects`",
  { byDefault: "on" },
);
export const serverNameInRedirect = honoured(
  "server_name_in_redirect",
  anyHttp,
  flag,
  "`absoluteRedirects.host`",
  { byDefault: "off" },
);
export const portInRedirect = honoured(
  "port_in_redirect",
  anyHttp,
  flag,
  "`absoluteRedirects.port`",
  { byDefault: "on" },
);

export const redirectDirectives: readonly Directive[] = [
  proxyRedirect,
  proxyCookieDomain,
  proxyCookiePath,
  proxyCookieFlags,
  absoluteRedirect,
  serverNameInRedirect,
  portInRedirect,
];
