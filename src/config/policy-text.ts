/** A policy as one word of the command line: its name, and options as in `pd_score_balance?max_num_seqs=16&…`. */
import { type PolicyConfig, policySchema } from "./policies.ts";
import { didYouMean } from "./suggest.ts";

export type Role = "prefill" | "decode";

/** `balanceAbsolute` → `balance_absolute`. */
export const snake = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

export function typedValue(text: string): string | number | boolean {
  if (text === "on" || text === "off") return text === "on";
  return /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : text;
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
  for (const pair of query.split("&").filter((part) => part !== "")) {
    const [, option = "", value = ""] = /^([^=]*)=?(.*)$/s.exec(pair)!;
    const entry = options.get(option);
    if (entry === undefined) {
      const known = [...options.keys()];
      const hint = didYouMean(option, known) ?? (known.length > 0 ? `known: ${known}` : undefined);
      return { problem: `unknown option "${option}" of ${name}`, hint };
    }
    const typed = typedValue(value);
    const chosen = [typed, [typed]].find((one) => entry[1].safeParse(one).success);
    if (chosen === undefined) return { problem: `invalid value "${pair}" of ${name}` };
    read[entry[0]] = chosen;
  }
  const parsed = policySchema.safeParse(read);
  if (parsed.success) return { policy: parsed.data };
  const missing = String(parsed.error.issues[0]?.path[0]);
  return { problem: `${name} needs a ${missing}`, hint: `${name}?${snake(missing)}=…` };
}
