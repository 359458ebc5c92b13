/** Members of an engine's JSON as texts, for attributes. Not for the hot path. */

import { KeyName } from "../../body/json/key-name.ts";
import { memberValue } from "../../body/json/member-value.ts";

/** The members of a JSON object that are texts or numbers, as texts: no digit of a number is lost. */
export function textMembers(json: Buffer, names: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of names) {
    const value = memberBytes(json, name);
    const text = value && scalarText(value.toString());
    if (text !== undefined) found[name] = text;
  }
  return found;
}

export function memberBytes(json: Buffer, name: string): Buffer | undefined {
  const span = memberValue(json, new KeyName(name));
  return span && json.subarray(span.start, span.end);
}

/** Undefined for what is neither, and for texts that no header or body could carry as they are. */
export function scalarText(json: string): string | undefined {
  if (/^-?\d/.test(json)) return json;
  if (!json.startsWith('"')) return undefined;
  const text: unknown = JSON.parse(json);
  const fits = typeof text === "string" && text !== "" && !/[^\x20-\x7e]/.test(text);
  return fits ? text : undefined;
}
