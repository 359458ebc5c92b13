/** What clients have written, as logs and traces show it: text, of bounded length, without what looks like a key. */
import { maskText } from "../../config/values/secrets.ts";
import { shownTextCharsMax } from "../../limits.ts";
import type { RequestContext } from "../context/request-context.ts";
import { textOf } from "./access-log.ts";
import { bodyMember } from "./body-member.ts";

/** @param bytes one per character; undefined = there are none */
export function shownText(bytes: string | undefined): string | undefined {
  if (bytes === undefined || bytes === "") return undefined;
  return maskText(textOf(bytes)).slice(0, shownTextCharsMax);
}

/** The model that the request asks for; undefined = it names none. */
export function shownModel(context: RequestContext): string | undefined {
  const bytes = bodyMember(context, "model");
  if (bytes === "") return undefined;
  try {
    return shownText(String(JSON.parse(`"${textOf(bytes)}"`)));
  } catch {
    // No string, or bytes that are no JSON.
    return shownText(bytes);
  }
}
