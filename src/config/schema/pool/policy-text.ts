/** A policy as one word of the command line: its name, and options as in `pd_score_balance?max_num_seqs=16&…`. */
import { snakeCase } from "../../../policies/shared/define-policy.ts";
import {
  readOptions,
  splitPair,
  splitText,
  type TextProblem,
  typedValue,
  unknownName,
} from "../option-text.ts";
import { type PolicyConfig, policyOptions, policySchema } from "./policies.ts";

export type Role = "prefill" | "decode";

/** An option of an operator's own policy, whose type is not known yet: `max_load=2` → `maxLoad`, 2. */
export function customOption(option: string, text: string): [key: string, value: unknown] {
  const key = option.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  return [key, text.includes(",") ? text.split(",").map(typedValue) : typedValue(text)];
}

/** Every valid name of a policy. */
export const policyNames: readonly string[] = [...policyOptions.keys(), "custom"];

type ReadPolicy = { readonly policy: PolicyConfig } | TextProblem;

/** @param role of the pool's engines, for policies that have it as an option; undefined = the engines do both */
export function parsePolicy(text: string, role: Role | undefined): ReadPolicy {
  const { name, pairs } = splitText(text);
  if (name === "custom") return parseCustom(pairs);
  const schemas = policyOptions.get(name);
  if (schemas === undefined) return unknownName(name, policyNames);
  const read = readOptions(name, pairs, schemas);
  if ("problem" in read) return read;
  const hasRole = role !== undefined && "role" in schemas;
  const parsed = policySchema.safeParse({ name, ...(hasRole && { role }), ...read.options });
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
