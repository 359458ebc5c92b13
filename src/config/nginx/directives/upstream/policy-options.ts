/** Policies that nginx does not have, as directives of `upstream`: by their own names, with options as `option_name=value`. */

import { optionValue, snake } from "../../../policy-text.ts";
import { didYouMean } from "../../../problems/suggest.ts";
import { type PolicyConfig, policySchema } from "../../../schema/policies.ts";
import type { ConfigInput } from "../../../schema/schema.ts";
import { many, reading } from "../../reading/arguments.ts";
import { type Directive, honoured } from "../../reading/directive.ts";
import type { Scope } from "../../reading/scope.ts";
import type { Word } from "../../syntax/lexer.ts";

export type PolicyInput = NonNullable<NonNullable<ConfigInput["pools"]>[string]["policy"]>;
type Shape = (typeof policySchema.options)[number]["shape"];

/** The policy with the options that stand in the words. */
export function readPolicyOptions(
  name: PolicyConfig["name"],
  words: readonly Word[],
  scope: Scope,
): PolicyInput {
  const { shape } = policySchema.options.find((option) => option.shape.name.value === name)!;
  return readOptions(name, shape, words, scope) as PolicyInput;
}

function readOptions(name: string, shape: Shape, words: readonly Word[], scope: Scope): object {
  const options = new Map(Object.entries(shape).map((entry) => [snake(entry[0]), entry]));
  options.delete("name");
  const keys: string[] = [];
  const read: Record<string, unknown> = { name };
  for (const word of words) {
    const [, option = "", text = ""] = /^([a-z_]+)=(.*)$/s.exec(word.text) ?? [];
    const entry = options.get(option);
    if (entry === undefined && options.has("keys") && word.text.startsWith("$")) {
      keys.push(scope.template(word));
      continue;
    }
    if (entry === undefined || option === "keys") {
      const hint = entry === undefined ? didYouMean(option, [...options.keys()]) : undefined;
      return scope.fail(`invalid parameter "${word.text}"`, word, hint);
    }
    const [key, schema] = entry;
    const found = optionValue(schema, text.includes("$") ? scope.template(word, text) : text);
    if ("hint" in found) return scope.fail(`invalid parameter "${word.text}"`, word, found.hint);
    read[key] = found.value;
  }
  return keys.length === 0 ? read : { ...read, keys };
}

/** Of each policy that has no other directive. */
export function policyDirectives(others: ReadonlySet<string>): Directive<PolicyInput>[] {
  return policySchema.options.flatMap(({ shape }) => {
    const name: PolicyConfig["name"] = shape.name.value;
    if (others.has(name)) return [];
    const names = Object.keys(shape).filter((key) => key !== "name" && key !== "keys");
    const said = [
      ...("keys" in shape
        ? ["templates of the key, of which the first that is not empty counts"]
        : []),
      ...names.map((key) => `\`${snake(key)}=\``),
    ];
    const does = ["`policy`", ...(said.length > 0 ? [said.join(", ")] : [])].join("; ");
    return honoured(
      name,
      ["upstream"],
      reading(0, many, (words: readonly Word[], scope: Scope) => {
        return readPolicyOptions(name, words, scope);
      }),
      does,
      { repeats: true },
    );
  });
}
