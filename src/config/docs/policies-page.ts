/** The part of docs/policies.md that is made from the definitions of policies: a row and a section for each. */
import { z } from "zod";
import { policies } from "../../policies/registry.ts";
import { isRequired, type PolicyDefinition } from "../../policies/shared/define-policy.ts";
import type { Option } from "../../policies/shared/options.ts";
import { optionSchema } from "../../policies/shared/options-schema.ts";
import { alternatives, describeExpected, type JsonSchema } from "../schema/expected.ts";
import { code, table } from "./markdown.ts";

/** A table of all policies, and a section for each that has options or notes. */
export function policiesText(): string {
  const definitions: readonly PolicyDefinition[] = policies;
  const overview = table(["policy", "from", "chooses", "use it when"], definitions.map(rowCells));
  return [overview, ...definitions.filter(hasSection).map(section)].join("\n\n");
}

/** Of the others the row says everything. */
function hasSection({ notes, options }: PolicyDefinition): boolean {
  return notes !== undefined || Object.keys(options).length > 0;
}

function rowCells(definition: PolicyDefinition): string[] {
  const { name, source = "", summary, when } = definition;
  return [hasSection(definition) ? `[${code(name)}](#${name})` : code(name), source, summary, when];
}

function section({ name, summary, source, notes, options }: PolicyDefinition): string {
  const from = source === undefined ? "" : ` From: ${source}.`;
  const paragraphs = [`### ${name}`, `${summary}${from}`];
  if (notes !== undefined) paragraphs.push(notes);
  const entries = Object.entries(options);
  if (entries.length > 0) {
    const rows = entries.map(([key, option]) => optionCells(key, option));
    paragraphs.push(table(["option", "value", "default", "meaning"], rows));
  }
  return paragraphs.join("\n\n");
}

function optionCells(key: string, option: Option): string[] {
  const { default: byDefault, unit, about } = option;
  const schema = z.toJSONSchema(optionSchema(option), { io: "input" }) as JsonSchema;
  const value = describeExpected(alternatives(schema))
    .replace(" that is not empty", "")
    .replaceAll('"', "`");
  const withUnit = unit === undefined ? value : `${value}, ${unit}`;
  return [code(key), withUnit, isRequired(option) ? "required" : written(byDefault), about];
}

function written(value: unknown): string {
  if (value === undefined) return "none";
  return code(typeof value === "string" ? value : JSON.stringify(value));
}
