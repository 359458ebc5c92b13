/** Checks of what a route makes of responses. */
import { parseSize } from "../nginx/reading/units.ts";
import type { ConfigPath } from "../problems/fault.ts";
import type { RouteConfig } from "../schema/schema.ts";
import { isCookieFlag } from "../values/cookie-flag.ts";
import { isHeaderName } from "../values/header-name.ts";
import { parseLifetime } from "../values/lifetime.ts";
import type { CheckContext } from "./context.ts";

export function checkResponses(
  { faults, texts }: CheckContext,
  route: RouteConfig,
  path: ConfigPath,
): void {
  const checkName = (at: ConfigPath, name: string) => {
    if (!isHeaderName(name)) faults.emerg(at, `invalid header name "${name}"`);
  };
  for (const key of ["responseHeaders", "responseTrailers"] as const) {
    route[key].forEach(({ name, value }, index) => {
      const at = [...path, key, index];
      checkName([...at, "name"], name);
      texts.template([...at, "value"], value);
    });
  }
  route.hideHeaders.forEach((name, index) => {
    checkName([...path, "hideHeaders", index], name);
  });
  route.redirects.forEach((redirect, index) => {
    if (redirect === "default") return;
    const at = [...path, "redirects", index];
    const { from, to } = redirect;
    if (from.startsWith("~")) texts.regex([...at, "from"], from.replace(/^~\*?/, ""));
    else texts.template([...at, "from"], from);
    texts.template([...at, "to"], to);
  });
  for (const key of ["domains", "paths"] as const) {
    route.cookies?.[key].forEach(({ from, to }, index) => {
      const at = [...path, "cookies", key, index];
      if (from.startsWith("~")) texts.regex([...at, "from"], from.replace(/^~\*?/, ""));
      else texts.template([...at, "from"], from);
      texts.template([...at, "to"], to);
    });
  }
  route.cookies?.flags.forEach(({ cookie, set }, index) => {
    const at = [...path, "cookies", "flags", index];
    if (cookie.startsWith("~")) texts.regex([...at, "cookie"], cookie.slice(1));
    else texts.template([...at, "cookie"], cookie);
    set.forEach((flag, place) => {
      texts.template([...at, "set", place], flag);
      if (!(flag.includes("$") || isCookieFlag(flag.toLowerCase()))) {
        faults.emerg([...at, "set", place], `"${flag}" is no flag of a cookie`);
      }
    });
  });
  for (const key of ["bytesPerSecond", "afterBytes"] as const) {
    const value = route.clientRate?.[key];
    if (typeof value !== "string") continue;
    const at = [...path, "clientRate", key];
    texts.template(at, value);
    if (!value.includes("$") && parseSize(value) === undefined) {
      faults.emerg(at, `"${value}" is no size`);
    }
  }
  if (route.charset !== undefined) texts.template([...path, "charset", "name"], route.charset.name);
  if (route.expires !== undefined) {
    const at = [...path, "expires", "value"];
    const { value, fromChange } = route.expires;
    texts.template(at, value);
    const isKnown = value === "off" || parseLifetime(value, fromChange) !== undefined;
    if (!(value.includes("$") || isKnown)) faults.emerg(at, `"${value}" is no such time`);
  }
  route.errorPages.forEach(({ uri }, index) => {
    texts.template([...path, "errorPages", index, "uri"], uri);
  });
}
