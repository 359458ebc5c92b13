/** Regular expressions of the configuration. */
import type { RequestContext } from "../context/request-context.ts";
import type { VariableScope } from "./template.ts";

/** Whether a text matches. */
export type RegexTest = (context: RequestContext, subject: string) => boolean;

/** The same for steps: one that does not match leaves no numbered captures, not even those of before (nginx's rule). */
export function compileStepRegex(pattern: string, flags: string, scope: VariableScope): RegexTest {
  const matches = compileRegex(pattern, flags, scope);
  return (context, subject) => {
    const isMatch = matches(context, subject);
    if (!isMatch) context.captures = noCaptures;
    return isMatch;
  };
}

const noCaptures: readonly string[] = [];

/**
 * A regular expression that leaves its captures, numbered and named, in the request. PCRE's `(?<name>` is JavaScript's.
 */
export function compileRegex(pattern: string, flags: string, scope: VariableScope): RegexTest {
  const regex = new RegExp(pattern, flags);
  const names = [...pattern.matchAll(/\(\?P?<([A-Za-z_]\w*)>/g)].map((match) => match[1]!);
  const indexes = names.map((name) => scope.indexOf(name));
  return (context, subject) => {
    const match = regex.exec(subject);
    if (match === null) return false;
    context.captures = match;
    for (let i = 0; i < names.length; i += 1) {
      context.variables[indexes[i]!] = match.groups?.[names[i]!] ?? "";
    }
    return true;
  };
}
