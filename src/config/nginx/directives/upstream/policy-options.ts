/** The words `option_name=value` after a policy's name in nginx.conf. */
import { policyNamed } from "../../../../policies/registry.ts";
import { snakeCase } from "../../../../policies/shared/define-policy.ts";
import { didYouMean } from "../../../problems/suggest.ts";
import { optionValue } from "../../../schema/option-text.ts";
import { type PolicyInput, type PolicyName, policyOptions } from "../../../schema/pool/policies.ts";
import { customOption } from "../../../schema/pool/policy-text.ts";
import type { Scope } from "../../reading/scope.ts";
import type { Word } from "../../syntax/lexer.ts";

/** The policy with the options that the words set. */
export function readPolicyOptions(
  name: PolicyName,
  words: readonly Word[],
  scope: Scope,
): PolicyInput {
  if (name === "custom") return readCustom(words, scope);
  const options = new Map(
    Object.entries(policyOptions.get(name)!).map((entry) => [snakeCase(entry[0]), entry]),
  );
  const list = templateList(name);
  if (list !== undefined) options.delete(snakeCase(list));
  const templates: string[] = [];
  const read: Record<string, unknown> = { name };
  for (const word of words) {
    if (list !== undefined && word.text.startsWith("$")) {
      templates.push(scope.template(word));
      continue;
    }
    const [option, text] = splitWord(word);
    const entry = options.get(option);
    if (entry === undefined) {
      const hint = didYouMean(option, [...options.keys()]);
      return scope.fail(`invalid parameter "${word.text}"`, word, hint);
    }
    const [key, schema] = entry;
    const found = optionValue(schema, text.includes("$") ? scope.template(word, text) : text);
    if ("hint" in found) return scope.fail(`invalid parameter "${word.text}"`, word, found.hint);
    read[key] = found.value;
  }
  if (list !== undefined && templates.length > 0) read[list] = templates;
  return read as PolicyInput;
}

/** The option whose values are bare words that begin with `$`. */
function templateList(name: PolicyName): string | undefined {
  const { options = {} } = policyNamed(name) ?? {};
  return Object.keys(options).find(
    (key) => options[key]!.kind === "template" && options[key]!.list !== undefined,
  );
}

/** Its options are checked once its module is loaded. */
function readCustom(words: readonly Word[], scope: Scope): PolicyInput {
  let module: string | undefined;
  const options: Record<string, unknown> = {};
  for (const word of words) {
    const [option, text] = splitWord(word);
    if (option === "" || text === "") return scope.fail(`invalid parameter "${word.text}"`, word);
    if (option === "module") module = text;
    else {
      const [key, value] = customOption(option, text);
      options[key] = text.includes("$") ? scope.template(word, text) : value;
    }
  }
  if (module === undefined) {
    return scope.fail(
      '"custom" needs the path of a module',
      undefined,
      "custom module=./policy.mjs",
    );
  }
  return { name: "custom", module, options };
}

/** `option=value`; an empty option if the word has another form. */
function splitWord({ text }: Word): [option: string, value: string] {
  const [, option = "", value = ""] = /^([a-z_0-9]+)=(.*)$/s.exec(text) ?? [];
  return [option, value];
}
