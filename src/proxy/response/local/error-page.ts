/** What a route's `errorPages` make of an error of the proxy's own, by nginx's rules for `error_page`. */
import type { RequestContext } from "../../context/request-context.ts";
import type { ReturnedReply } from "../../routing/rewrite.ts";
import type { Route } from "../../routing/route.ts";
import type { Routed, Server } from "../../routing/server.ts";
import { isRedirect } from "./local-reply.ts";

/** A reply, or a route to forward to; `status` is the one for the client, 0 = that of the page itself. */
export type ErrorPageResult =
  | { readonly response: ReturnedReply; readonly route?: never }
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
  const target = page.uri(context);
  const shown = page.status === 0 ? status : page.status;
  const named = target.startsWith("@");
  if (!named && !target.startsWith("/")) {
    return { response: { status: isRedirect(page.status) ? page.status : 302, text: target } };
  }
  let routed: Routed;
  if (named) routed = server.routeNamed(context, target);
  else {
    const [path = "", args = ""] = target.split("?", 2);
    Object.assign(context, { path, args, rewritten: true });
    routed = server.route(context, true);
  }
  const { response, route: to, outcome } = routed;
  if (response !== undefined) {
    // A redirect and a bare error are replies of their own; a text is shown for the error that there was.
    const own = response.text === undefined ? response.status >= 400 : isRedirect(response.status);
    return { response: own || page.keepPageStatus ? response : { ...response, status: shown } };
  }
  if (outcome !== undefined) {
    return page.status === 0 ? undefined : { response: { status: page.status, text: undefined } };
  }
  if (!named) {
    if (context.method !== "HEAD") context.method = "GET";
    context.body = nothing;
  }
  return { route: to, status: page.keepPageStatus ? 0 : shown };
}

const nothing = Buffer.alloc(0);
