/** Something with options as one word of the command line: its name, and options as in `NAME?max_load=16&…`. */
import { z } from "zod";
import { snakeCase } from "../../policies/shared/define-policy.ts";
import { didYouMean } from "../problems/suggest.ts";
import { alternatives, describeExpected, type JsonSchema } from "./expected.ts";

export interface TextProblem {
  readonly problem: string;
  readonly hint?: string | undefined;
}

export function splitText(text: string): { readonly name: string; readonly pairs: string[] } {
  const [, name = "", query = ""] = /^([^?]*)\??(.*)$/s.exec(text)!;
  return { name, pairs: query.split("&").filter((part) => part !== "") };
}

export function splitPair(pair: string): [option: string, value: string] {
  const [, option = "", value = ""] = /^([^=]*)=?(.*)$/s.exec(pair)!;
  return [option, value];
}

export function unknownName(name: string, known: readonly string[]): TextProblem {
  const hint = didYouMean(name, known) ?? `valid: ${known.join(", ")}`;
  return { problem: `unknown name "${name}"`, hint };
}

/** @param schemas of the options, by their keys in files */
export function readOptions(
  name: string,
  pairs: readonly string[],
  schemas: Readonly<Record<string, z.ZodType>>,
): { readonly options: Readonly<Record<string, unknown>> } | TextProblem {
  const known = new Map(Object.entries(schemas).map((entry) => [snakeCase(entry[0]), entry]));
  const options: Record<string, unknown> = {};
  for (const pair of pairs) {
    const [option, value] = splitPair(pair);
    const entry = known.get(option);
    if (entry === undefined) {
      const names = [...known.keys()];
      const hint =
        didYouMean(option, names) ?? (names.length > 0 ? `valid: ${names.join(", ")}` : undefined);
      return { problem: `unknown option "${option}" of ${name}`, hint };
    }
    const [key, schema] = entry;
    if (key in options) return { problem: `option "${option}" of ${name} is given twice` };
    const found = optionValue(schema, value);
    if ("hint" in found) return { problem: `invalid value "${pair}" of ${name}`, ...found };
    options[key] = found.value;
  }
  return { options };
}

export function typedValue(text: string): string | number | boolean {
  if (text === "on" || text === "true") return true;
  if (text === "off" || text === "false") return false;
  return /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : text;
}

/** The value of an option, with commas between items of a list; or a hint at what was expected. */
export function optionValue(
  schema: z.ZodType,
  text: string,
): { readonly value: unknown } | { readonly hint: string } {
  for (const value of [typedValue(text), text.split(",").map(typedValue)]) {
    if (schema.safeParse(value).success) return { value };
  }
  const schemas = alternatives(z.toJSONSchema(schema, { io: "input" }) as JsonSchema);
  const words = schemas.flatMap((one) => (one.enum ?? []).map(String));
  return { hint: didYouMean(text, words) ?? `expected ${describeExpected(schemas)}` };
}
