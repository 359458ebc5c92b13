/** Where redirects lead, and what cookies are for. */
import type { Block } from "../directives/block.ts";
import type { RouteInput } from "../directives/http/location.ts";
import {
  absoluteRedirect,
  portInRedirect,
  proxyCookieDomain,
  proxyCookieFlags,
  proxyCookiePath,
  proxyRedirect,
  serverNameInRedirect,
} from "../directives/proxy/redirects.ts";
import type { Directive } from "../reading/directive.ts";

export function readAbsoluteRedirects(block: Block): Pick<RouteInput, "absoluteRedirects"> {
  if (!block.value(absoluteRedirect, true)) return {};
  const host = block.value(serverNameInRedirect, false) ? "server" : "request";
  return { absoluteRedirects: { host, port: block.value(portInRedirect, true) } };
}

/** Of what engines send. */
export function readRedirects(block: Block): Pick<RouteInput, "redirects" | "cookies"> {
  const redirects = rulesOf(block, proxyRedirect);
  const domains = rulesOf(block, proxyCookieDomain) ?? [];
  const paths = rulesOf(block, proxyCookiePath) ?? [];
  const flags = rulesOf(block, proxyCookieFlags) ?? [];
  const hasCookies = domains.length + paths.length + flags.length > 0;
  return {
    ...(redirects && { redirects }),
    ...(hasCookies && { cookies: { domains, paths, flags } }),
  };
}

/** One `off` undoes all of its level, as in nginx. Undefined = nothing is said. */
function rulesOf<Rule>(block: Block, directive: Directive<"off" | Rule>): Rule[] | undefined {
  const values = block.inherited(directive).map(({ value }) => value);
  if (values.length === 0) return undefined;
  const kept = values.flatMap((value) => (value === "off" ? [] : [value as Rule]));
  return kept.length < values.length ? [] : kept;
}
