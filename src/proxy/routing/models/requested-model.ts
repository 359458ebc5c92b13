/** The model that a request names: a member of its body or a field of its form. Nothing of the rest is decoded. */
import { formField } from "../../../body/form/form-field.ts";
import { memberValueOf } from "../../../dialects/shared/member-facts.ts";
import { modelNameCharsMax } from "../../../limits.ts";
import { modelKey } from "../../context/engine-model.ts";
import type { RequestContext } from "../../context/request-context.ts";
import { readMembers } from "../body-member.ts";

const quote = 0x22;
const backslash = 0x5c;
/** Of the first boundary. */
const dash = 0x2d;
const nowhere = { start: 0, end: 0 };
/** Four bytes for each character, and the quotes. */
const bytesMax = modelNameCharsMax * 4 + 2;

/**
 * "" = it names none, or its body is neither a JSON object nor a form that all read alike. A name that is too long for
 * any model is cut.
 */
export function requestedModel(context: RequestContext): string {
  const value = readMembers(context, (members) => memberValueOf(members, modelKey));
  if (value === undefined) return modelInForm(context);
  if (value[0] !== quote) return "";
  if (value.length > bytesMax) return value.toString("utf8", 1, bytesMax);
  return value.includes(backslash) ? unescaped(value) : value.toString("utf8", 1, value.length - 1);
}

/** Of a file to transcribe, an image to edit and the like. */
function modelInForm(context: RequestContext): string {
  const { body, head } = context;
  if (body[0] !== dash) return "";
  const contentType = head.fields.get("content-type") ?? "";
  context.modelField ??= formField(body, contentType, modelKey.text);
  const { start, end } = context.modelField ?? nowhere;
  return body.toString("utf8", start, end);
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
