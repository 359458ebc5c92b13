/** The model that a request names: one member of its body, with nothing of the rest decoded. */
import { memberValueOf } from "../../../dialects/shared/member-facts.ts";
import { modelNameCharsMax } from "../../../limits.ts";
import { modelKey } from "../../context/engine-model.ts";
import type { RequestContext } from "../../context/request-context.ts";
import { readMembers } from "../body-member.ts";

const quote = 0x22;
const backslash = 0x5c;
/** Four bytes for each character, and the quotes. */
const bytesMax = modelNameCharsMax * 4 + 2;

/** "" = it names none, or its body is no JSON object. A name that is too long for any model is cut. */
export function requestedModel(context: RequestContext): string {
  const value = readMembers(context, (members) => memberValueOf(members, modelKey));
  if (value === undefined || value[0] !== quote) return "";
  if (value.length > bytesMax) return value.toString("utf8", 1, bytesMax);
  return value.includes(backslash) ? unescaped(value) : value.toString("utf8", 1, value.length - 1);
}

/** JSON allows each character to be written as an escape. */
function unescaped(value: Buffer): string {
  try {
    return JSON.parse(value.toString()) as string;
  } catch {
    // The engine says what is wrong with it.
    return "";
  }
}
