/** The id by which a request is found: in the response, at engines, in logs, by operators. */
import type { IdGenerator } from "../../dialects/dialect.ts";
import { namesEngines } from "../../dialects/transfer-guard.ts";
import type { RequestContext } from "../context/request-context.ts";
import type { Route } from "../routing/route.ts";
import type { RequestServices } from "./request-services.ts";

/** Given before anything is refused, so that a refusal of the body has it, too, and can be asked for. */
export function giveRequestId(
  context: RequestContext,
  route: Route | undefined,
  { ids, explanations }: Pick<RequestServices, "ids" | "explanations">,
): void {
  context.requestId ||= requestIdOf(context, route, ids);
  context.explanation = explanations.start(context, route) ?? context.trace?.explanation(context);
}

/** The client's own, or a new one where the route gives one; "" = none. */
export function requestIdOf(
  { head }: RequestContext,
  route: Route | undefined,
  ids: Pick<IdGenerator, "uuid">,
): string {
  const given = head.fields.get("x-request-id") ?? "";
  // Nothing says then that ids are made, but operators can ask for a client's own.
  if (route === undefined) return given;
  const isForged = given !== "" && route.byEndpoint && namesEngines(given);
  if (!route.givesRequestId && !isForged) return "";
  return (isForged ? "" : given) || ids.uuid();
}
