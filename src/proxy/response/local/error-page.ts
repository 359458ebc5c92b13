/** What a route's `errorPages` make of an error of the proxy's own, by nginx's rules for `error_page`. */
import type { RequestContext } from "../../context/request-context.ts";
import { isRedirect, type ReturnedReply } from "../../routing/rewrite.ts";
import type { Route } from "../../routing/route.ts";
import type { Routed, Server } from "../../routing/server.ts";

/**
 * A route to forward to, or a reply and the route that it comes from, if any. `status` is the one for the client, 0 =
 * that of the page itself.
 */
export type ErrorPageResult =
  | { readonly response: ReturnedReply; readonly route: Route | undefined }
  | { readonly route: Route; readonly status: number; readonly response?: never };

/**
 * Undefined = no page for this status, or one that leads nowhere: the proxy's own error is given. A page by path is
 * asked for with GET and without a body; a named route gets the request as it came.
 */
export function errorPage(
  status: number,
  route: Route | undefined,
  server: Server,
  context: RequestContext,
): ErrorPageResult | undefined {
  const page = route?.errorPages.get(status);
  if (page === undefined) return undefined;
  const shown = page.status === 0 ? status : page.status;
  // What `$status` is from here on.
  context.status = page.keepPageStatus ? 0 : shown;
  const target = page.uri(context);
  const named = target.startsWith("@");
  if (!named && !target.startsWith("/")) {
    const redirect = isRedirect(page.status) ? page.status : 302;
    return { response: { status: redirect, location: target }, route };
  }
  const routed = named ? server.routeNamed(context, target) : routeTo(target, server, context);
  const { response, route: to, outcome } = routed;
  if (response !== undefined) {
    // A redirect and a bare error are replies of their own; a text is shown for the error that there was.
    const isOwn = response.text === undefined && response.status >= 300;
    const keeps = isOwn || page.keepPageStatus;
    return { response: keeps ? response : { ...response, status: shown }, route: to };
  }
  if (outcome !== undefined) {
    const { status: given } = page;
    return given === 0 ? undefined : { response: { status: given }, route: to };
  }
  if (!named) {
    if (context.method !== "HEAD") context.method = "GET";
    context.body = nothing;
  }
  return { route: to, status: page.keepPageStatus ? 0 : shown };
}

function routeTo(target: string, server: Server, context: RequestContext): Routed {
  const [path = "", args = ""] = target.split("?", 2);
  Object.assign(context, { path, args, rewritten: true });
  return server.route(context, true);
}

const nothing = Buffer.alloc(0);
