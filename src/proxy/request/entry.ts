/** What a request has to pass before its body is read: nginx's limits, then its access phase. */
import { type Outcome, outcomes } from "../context/outcomes.ts";
import type { RequestContext } from "../context/request-context.ts";
import type { Routed, Server } from "../routing/server.ts";

/** A request comes to a route, or to an error page. If it may not, that is how it ends. Sets `context.refusal`. */
export function entered(context: RequestContext, routed: Routed, server: Server): Routed {
  const refusal = refusalOf(context, routed, server);
  context.refusal = refusal;
  return refusal === undefined ? routed : { route: routed.route, outcome: refusal };
}

/** Why it does not pass; undefined = it does, or there is nothing to pass: what steps return is for all. */
function refusalOf(
  context: RequestContext,
  { route, response, outcome }: Routed,
  { unmatched }: Server,
): Outcome | undefined {
  if (route === undefined || response !== undefined) return undefined;
  const { access, requestLimits, connectionLimits } = route;
  if ((access ?? requestLimits ?? connectionLimits) === undefined) return undefined;
  // A path that leads nowhere is not told to those who may not ask.
  const leadsNowhere =
    outcome === outcomes.noRoute &&
    (route === unmatched || !(route.responds || route.config.internal));
  if (outcome !== undefined && !leadsNowhere) return undefined;
  const { contentLength } = context.head;
  const { bodyBytesMax } = route.config;
  if (bodyBytesMax > 0 && contentLength > bodyBytesMax) return undefined;
  // Counted once, also where an error page has limits of its own.
  const isFast = context.requestLimitStatus === "" ? requestLimits?.check(context) : undefined;
  if (isFast !== undefined) return isFast;
  const isOneTooMany =
    context.connectionLimitStatus === "" ? connectionLimits?.check(context) : undefined;
  return isOneTooMany ?? access?.refusal(context);
}
