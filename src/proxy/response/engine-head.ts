/** The head of an engine's response as its client gets it. */
import { FieldSet } from "../../http1/fields/field-set.ts";
import { forwardedLines } from "../../http1/fields/forwarded-lines.ts";
import type { ResponseHead } from "../../http1/head/response-head.ts";
import { reasonOf } from "../../http1/reason.ts";
import { locating } from "../routing/redirects.ts";

const dropped = new FieldSet([]);
const droppedWithId = new FieldSet(["X-Request-Id"]);
const droppedToRedirect = new FieldSet(locating);
const droppedToRedirectWithId = new FieldSet([...locating, "X-Request-Id"]);

function dropsOf(withId: boolean, toRedirect: boolean): FieldSet {
  if (toRedirect) return withId ? droppedToRedirectWithId : droppedToRedirect;
  return withId ? droppedWithId : dropped;
}

/**
 * Its first line, and the lines that are passed on.
 * @param requestId for the client; "" = the engine's, if it gives one
 * @param status in place of the engine's; 0 = the engine's
 * @param redirects lines in place of the engine's that say where to go; undefined = the engine's
 */
export function engineHead(
  engine: ResponseHead,
  requestId: string,
  status: number,
  redirects: string | undefined,
): string {
  let text =
    status === 0
      ? `HTTP/1.1 ${engine.status} ${engine.reason}\r\n`
      : `HTTP/1.1 ${status} ${reasonOf(status)}\r\n`;
  text += forwardedLines(engine.fields, dropsOf(requestId !== "", redirects !== undefined));
  text += redirects ?? "";
  if (requestId !== "") text += `X-Request-Id: ${requestId}\r\n`;
  return text;
}
