/** The condition of `if`. Messages are nginx's. */
import type { ConfigInput } from "../../../schema/schema.ts";
import type { Scope } from "../../reading/scope.ts";
import type { Word } from "../../syntax/lexer.ts";

export type StepInput = NonNullable<ConfigInput["servers"][number]["steps"]>[number];
export type ConditionInput = Extract<StepInput, { if: unknown }>["if"];

/** The parentheses may stand alone or belong to the words beside them. */
export function readCondition(args: readonly Word[], scope: Scope): ConditionInput {
  const words = [...args];
  const first = words[0]!;
  const last = words.at(-1)!;
  if (!first.text.startsWith("(")) return invalid(first, scope);
  words[0] = { ...first, text: first.text.slice(1) };
  if (!last.text.endsWith(")")) return invalid(last, scope);
  const end = words.pop()!;
  words.push({ ...end, text: end.text.slice(0, -1) });
  if (words[0].text === "") words.shift();
  if (words.at(-1)?.text === "") words.pop();
  const [subject] = words;
  if (subject === undefined) return invalid(first, scope);
  if (/^\$./.test(subject.text)) return ofVariable(words, subject, scope);
  return ofFile(words, subject, scope);
}

function invalid(word: Word, scope: Scope): never {
  return scope.fail(`invalid condition "${word.text}"`, word);
}

function ofVariable(words: readonly Word[], variable: Word, scope: Scope): ConditionInput {
  const [, operator, other] = words;
  if (words.length !== 1 && words.length !== 3) return invalid(variable, scope);
  const name = variable.text.slice(1);
  if (!/^\w+$/.test(name)) scope.fail(`unknown "${name}" variable`, variable);
  const value = scope.template(variable, `\${${name}}`);
  if (operator === undefined || other === undefined) return { value };
  const [, negation, sign] = /^(!?)(=|~\*?)$/.exec(operator.text) ?? [];
  if (sign === undefined) scope.fail(`unexpected "${operator.text}" in condition`, operator);
  const not = negation === "" ? {} : { not: true };
  if (sign === "=") return { value, equals: scope.template(other), ...not };
  const regex = scope.regex(other);
  const ignoresCase = sign === "~*" || regex.ignoreCase;
  return { value, matches: regex.pattern, ...(ignoresCase && { ignoreCase: true }), ...not };
}

const files = { f: "file", d: "directory", e: "any", x: "executable" } as const;

function ofFile(words: readonly Word[], test: Word, scope: Scope): ConditionInput {
  const [, negation, letter] = /^(!?)-([fdex])$/.exec(test.text) ?? [];
  const path = words[1];
  if (letter === undefined || path === undefined || words.length !== 2) return invalid(test, scope);
  const file = files[letter as keyof typeof files];
  return { value: scope.template(path), file, ...(negation === "!" && { not: true }) };
}
