/** Ejection as one word of the command line: its rule, and options as in `outlier?late_ms=0&max_ejected_percent=30`. */
import { readOptions, splitText, type TextProblem, unknownName } from "../option-text.ts";
import { type EjectionConfig, ejectionOptions, ejectionSchema } from "./ejection.ts";

export function parseEjection(text: string): { readonly ejection: EjectionConfig } | TextProblem {
  const { name, pairs } = splitText(text);
  const schemas = ejectionOptions.get(name);
  if (schemas === undefined) return unknownName(name, [...ejectionOptions.keys()]);
  const read = readOptions(name, pairs, schemas);
  if ("problem" in read) return read;
  return { ejection: ejectionSchema.parse({ rule: name, ...read.options }) };
}
