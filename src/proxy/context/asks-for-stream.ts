/** Whether a client asks for its response as a stream. Scans the body: for what is rarely asked. */
import { KeyName } from "../../body/json/key-name.ts";
import { memberValue } from "../../body/json/member-value.ts";
import type { RequestContext } from "./request-context.ts";

const stream = new KeyName("stream");

export function asksForStream({ body }: Pick<RequestContext, "body">): boolean {
  const value = memberValue(body, stream);
  return value !== undefined && body.toString("latin1", value.start, value.end) === "true";
}
