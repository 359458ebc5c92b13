/** Responses of engines that the configuration replaces with a page (nginx's `proxy_intercept_errors`). */
import type { Outcome } from "../context/outcomes.ts";
import { outcomes } from "../context/outcomes.ts";
import type { RequestContext } from "../context/request-context.ts";
import type { Route } from "../routing/route.ts";
import type { ClientResponse } from "./client-response.ts";

/** How the request ends in place of the engine's response; undefined = the client gets that. */
export function replacedError(
  { config, errorPages }: Pick<Route, "config" | "errorPages">,
  { engine, hasHead }: ClientResponse,
  context: RequestContext,
): Outcome | undefined {
  if (!config.replaceEngineErrors || engine === undefined || hasHead) return undefined;
  const { status } = engine;
  if (!errorPages.has(status)) return undefined;
  const challenge = status === 401 ? engine.fields.get("www-authenticate") : undefined;
  if (challenge !== undefined) context.keptLines = `WWW-Authenticate: ${challenge}\r\n`;
  return { ...outcomes.engineError, status };
}
