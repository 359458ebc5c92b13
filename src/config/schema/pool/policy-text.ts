/** A policy as one word of the command line: its name, and options as in `pd_score_balance?max_num_seqs=16&…`. */
import { z } from "zod";
import { snakeCase } from "../../../policies/shared/define-policy.ts";
import { didYouMean } from "../../problems/suggest.ts";
import { alternatives, describeExpected, type JsonSchema } from "../expected.ts";
import { type PolicyConfig, policyOptions, policySchema } from "./policies.ts";

export type Role = "prefill" | "decode";

function typedValue(text: string): string | number | boolean {
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

/** An option of an operator's own policy, whose type is not known yet: `max_load=2` → `maxLoad`, 2. */
export function customOption(option: string, text: string): [key: string, value: unknown] {
  const key = option.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  return [key, text.includes(",") ? text.split(",").map(typedValue) : typedValue(text)];
}

/** Every valid name of a policy. */
export const policyNames: readonly string[] = [...policyOptions.keys(), "custom"];

interface PolicyProblem {
  readonly problem: string;
  readonly hint?: string | undefined;
}

type ReadPolicy = { readonly policy: PolicyConfig } | PolicyProblem;

/** @param role of the pool's engines, for policies that have it as an option; undefined = the engines do both */
export function parsePolicy(text: string, role: Role | undefined): ReadPolicy {
  const [, name = "", query = ""] = /^([^?]*)\??(.*)$/s.exec(text)!;
  const pairs = query.split("&").filter((part) => part !== "");
  if (name === "custom") return parseCustom(pairs);
  const schemas = policyOptions.get(name);
  if (schemas === undefined) {
    const hint = didYouMean(name, policyNames) ?? `valid: ${policyNames.join(", ")}`;
    return { problem: `unknown name "${name}"`, hint };
  }
  const options = new Map(Object.entries(schemas).map((entry) => [snakeCase(entry[0]), entry]));
  const read: Record<string, unknown> = { name };
  if (role !== undefined && options.has("role")) read["role"] = role;
  const given: Record<string, unknown> = {};
  for (const pair of pairs) {
    const [option, value] = splitPair(pair);
    const entry = options.get(option);
    if (entry === undefined) {
      const known = [...options.keys()];
      const hint =
        didYouMean(option, known) ?? (known.length > 0 ? `valid: ${known.join(", ")}` : undefined);
      return { problem: `unknown option "${option}" of ${name}`, hint };
    }
    const [key, schema] = entry;
    if (key in given) return { problem: `option "${option}" of ${name} is given twice` };
    const found = optionValue(schema, value);
    if ("hint" in found) return { problem: `invalid value "${pair}" of ${name}`, ...found };
    given[key] = found.value;
  }
  const parsed = policySchema.safeParse({ ...read, ...given });
  if (parsed.success) return { policy: parsed.data };
  const missing = String(parsed.error.issues[0]?.path[0]);
  return { problem: `${name} needs a ${missing}`, hint: `${name}?${snakeCase(missing)}=…` };
}

/** `custom?module=./my-policy.mjs&option=value`. The module is loaded when the configuration is checked. */
function parseCustom(pairs: readonly string[]): ReadPolicy {
  let module: string | undefined;
  const options: Record<string, unknown> = {};
  for (const pair of pairs) {
    const [option, text] = splitPair(pair);
    const [key, value] = customOption(option, text);
    if (key in options || (option === "module" && module !== undefined)) {
      return { problem: `option "${option}" of custom is given twice` };
    }
    if (option === "module") module = text;
    else options[key] = value;
  }
  if (module === undefined || module === "") {
    return { problem: "custom needs a module", hint: "custom?module=./my-policy.mjs" };
  }
  return { policy: { name: "custom", module, options } };
}

function splitPair(pair: string): [option: string, value: string] {
  const [, option = "", value = ""] = /^([^=]*)=?(.*)$/s.exec(pair)!;
  return [option, value];
}
