/** A policy as one word of the command line: its name, and options as in `pd_score_balance?max_num_seqs=16&…`. */
import { z } from "zod";
import { didYouMean } from "./problems/suggest.ts";
import { alternatives, describeExpected, type JsonSchema } from "./schema/expected.ts";
import { type PolicyConfig, policySchema } from "./schema/policies.ts";

export type Role = "prefill" | "decode";

/** `balanceAbsolute` → `balance_absolute`. */
export const snake = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

function typedValue(text: string): string | number | boolean {
  if (text === "on" || text === "true") return true;
  if (text === "off" || text === "false") return false;
  return /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : text;
}

/** The value of an option as it is written, with commas in a list; or what may stand there. */
export function optionValue(
  schema: z.ZodType,
  text: string,
): { readonly value: unknown } | { readonly hint: string } {
  for (const value of [typedValue(text), text.split(",").map(typedValue)]) {
    if (schema.safeParse(value).success) return { value };
  }
  const schemas = alternatives(z.toJSONSchema(schema, { io: "input" }) as JsonSchema);
  const words = schemas.flatMap((one) => (one.enum ?? []).map(String));
  return { hint: didYouMean(text, words) ?? `it takes ${describeExpected(schemas)}` };
}

export const policyNames = policySchema.options.map(({ shape }) => shape.name.value);

interface PolicyProblem {
  readonly problem: string;
  readonly hint?: string | undefined;
}

/** @param role of the pool's engines, which some policies must be told; undefined = they do all */
export function parsePolicy(
  text: string,
  role: Role | undefined,
): { readonly policy: PolicyConfig } | PolicyProblem {
  const [, name = "", query = ""] = /^([^?]*)\??(.*)$/s.exec(text)!;
  const shape = policySchema.options.find((option) => option.shape.name.value === name)?.shape;
  if (shape === undefined) {
    const hint = didYouMean(name, policyNames) ?? `known: ${policyNames.join(", ")}`;
    return { problem: `unknown name "${name}"`, hint };
  }
  const options = new Map(Object.entries(shape).map((entry) => [snake(entry[0]), entry]));
  options.delete("name");
  const read: Record<string, unknown> = { name };
  if (role !== undefined && options.has("role")) read["role"] = role;
  const given: Record<string, unknown> = {};
  for (const pair of query.split("&").filter((part) => part !== "")) {
    const [, option = "", value = ""] = /^([^=]*)=?(.*)$/s.exec(pair)!;
    const entry = options.get(option);
    if (entry === undefined) {
      const known = [...options.keys()];
      const hint = didYouMean(option, known) ?? (known.length > 0 ? `known: ${known}` : undefined);
      return { problem: `unknown option "${option}" of ${name}`, hint };
    }
    const [key, schema] = entry;
    if (key in given) return { problem: `option "${option}" of ${name} stands there twice` };
    const found = optionValue(schema, value);
    if ("hint" in found) return { problem: `invalid value "${pair}" of ${name}`, ...found };
    given[key] = found.value;
  }
  const parsed = policySchema.safeParse({ ...read, ...given });
  if (parsed.success) return { policy: parsed.data };
  const missing = String(parsed.error.issues[0]?.path[0]);
  return { problem: `${name} needs a ${missing}`, hint: `${name}?${snake(missing)}=…` };
}
