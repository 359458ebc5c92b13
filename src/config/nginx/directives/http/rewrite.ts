/** Directives that run before a request is forwarded, in the order of the file: nginx's rewrite phase. */
import { settableVariables } from "../../../values/variables.ts";
import { flag, many, reading } from "../../reading/arguments.ts";
import type { Context } from "../../reading/context.ts";
import { type Directive, honoured, ignored } from "../../reading/directive.ts";
import type { Scope } from "../../reading/scope.ts";
import { parseNumber } from "../../reading/units.ts";
import type { Word } from "../../syntax/lexer.ts";
import { type ConditionInput, readCondition, type StepInput } from "./condition.ts";

const contexts: readonly Context[] = ["server", "if in server", "location", "if in location"];
const anyRewrite: readonly Context[] = ["http", ...contexts];
const repeats = { repeats: true };
const url = /^(?:https?:\/\/|\$scheme)/;

/** Reads `$name` where a variable is defined. */
export function newVariable(word: Word, scope: Scope): string {
  const name = /^\$(\w+)$/.exec(word.text)?.[1];
  if (name === undefined) scope.fail(`invalid variable name "${word.text}"`, word);
  return name;
}

const set = honoured(
  "set",
  contexts,
  reading(2, 2, ([variable, value], scope): PlainStep => {
    const name = newVariable(variable!, scope);
    if (!settableVariables.includes(name.toLowerCase())) {
      scope.loading.variables.declare(name, variable!);
    }
    return { set: { name, value: scope.template(value!) } };
  }),
  "`steps[].set`",
  repeats,
);

const flags = ["last", "break", "redirect", "permanent"] as const;

const rewrite = honoured(
  "rewrite",
  contexts,
  reading(2, 3, ([pattern, replacement, flagWord], scope): PlainStep => {
    const regex = scope.regex(pattern!);
    const flagName = flags.find((name) => name === flagWord?.text);
    if (flagWord !== undefined && flagName === undefined) {
      scope.fail(`invalid parameter "${flagWord.text}"`, flagWord, `valid: ${flags.join(", ")}`);
    }
    const redirects = url.test(replacement!.text) && flagName !== "permanent";
    return {
      rewrite: {
        pattern: regex.pattern,
        ...(regex.ignoreCase && { ignoreCase: true }),
        replacement: scope.template(replacement!),
        flag: redirects ? "redirect" : (flagName ?? "none"),
      },
    };
  }),
  "`steps[].rewrite`",
  { ...repeats, note: "With `last`, `break`, `redirect` or `permanent`." },
);

const returning = honoured(
  "return",
  contexts,
  reading(1, 2, ([first, second], scope: Scope): PlainStep => {
    const status = parseNumber(first!.text);
    if (status === undefined && second === undefined && url.test(first!.text)) {
      return { return: { status: 302, text: scope.template(first!) } };
    }
    if (status === undefined || status > 999) {
      scope.fail(`invalid return code "${first!.text}"`, first);
    }
    if (status < 200 || status > 599) {
      scope.fail(`returning status ${status} is not supported`, first);
    }
    return { return: { status, ...(second && { text: scope.template(second) }) } };
  }),
  "`steps[].return`",
  { ...repeats, note: "With a status from 200 to 599." },
);

const breaking = honoured(
  "break",
  contexts,
  reading(0, 0, (): PlainStep => ({ break: true })),
  "`steps[].break`",
  repeats,
);

export type PlainStep = Exclude<StepInput, { if: unknown }>;
export const steps: readonly Directive<PlainStep>[] = [set, rewrite, returning, breaking];

const conditions =
  "`$variable`, or one with `=`, `!=`, `~`, `~*`, `!~` or `!~*` and a text, or `-f`, `-d`, `-e` or `-x` and a path.";

/** What a block may hold depends on where it stands. */
export const conditionals: readonly Directive<ConditionInput>[] = (
  [
    ["server", "if in server"],
    ["location", "if in location"],
  ] as const
).map(([context, block]) =>
  honoured("if", [context], reading(1, many, readCondition), "`steps[].if`", {
    block,
    repeats: true,
    note: conditions,
  }),
);

export const rewriteDirectives: readonly Directive[] = [
  ...steps,
  ...conditionals,
  ignored("rewrite_log", anyRewrite, flag, "rewrites are not logged"),
  ignored("uninitialized_variable_warn", anyRewrite, flag, "an unset variable is empty"),
];
