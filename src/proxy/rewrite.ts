/** The steps that run before a request is forwarded, in order: nginx's rewrite phase. */
import type { StepConfig } from "../config/schema.ts";
import type { RequestContext } from "./context.ts";
import type { VariableScope } from "./template.ts";

/** An answer that the configuration itself gives. */
export interface ReturnedAnswer {
  readonly status: number;
  /** The body; for a redirect its target. */
  readonly text: string | undefined;
}

/** What to do after the steps: go on, look for the location again, or answer. */
export type StepResult = "go-on" | "search-again" | ReturnedAnswer;

type Step = (context: RequestContext) => StepResult | "next";

export type Steps = (context: RequestContext) => StepResult;

const nothing: Steps = () => "go-on";

export function compileSteps(configs: readonly StepConfig[], scope: VariableScope): Steps {
  if (configs.length === 0) return nothing;
  const steps = configs.map((config) => compileStep(config, scope));
  return (context) => {
    for (const step of steps) {
      const result = step(context);
      if (result !== "next") return result;
    }
    return "go-on";
  };
}

function compileStep(config: StepConfig, scope: VariableScope): Step {
  if ("set" in config) {
    const index = scope.indexOf(config.set.name);
    const value = scope.compile(config.set.value);
    return (context) => {
      context.variables[index] = value(context);
      return "next";
    };
  }
  if ("return" in config) {
    const { status } = config.return;
    const text = config.return.text === undefined ? undefined : scope.compile(config.return.text);
    return (context) => ({ status, text: text?.(context) });
  }
  if ("break" in config) return () => "go-on";
  return compileRewrite(config.rewrite, scope);
}

function compileRewrite(
  config: Extract<StepConfig, { rewrite: unknown }>["rewrite"],
  scope: VariableScope,
): Step {
  const matches = compileRegex(config.pattern, "", scope);
  const replacement = scope.compile(config.replacement);
  return (context) => {
    if (!matches(context, context.path)) return "next";
    const target = replacement(context);
    if (config.flag === "redirect" || config.flag === "permanent" || /^https?:\/\//.test(target)) {
      const text =
        target.endsWith("?") || context.args === "" ? target : `${target}?${context.args}`;
      return { status: config.flag === "permanent" ? 301 : 302, text };
    }
    rewriteTo(context, target);
    if (config.flag === "last") return "search-again";
    return config.flag === "break" ? "go-on" : "next";
  };
}

/** Sets path and query; the query of the request stays behind a new one, unless the target ends in `?`. */
export function rewriteTo(context: RequestContext, target: string): void {
  const question = target.indexOf("?");
  context.rewritten = true;
  if (question < 0) {
    context.path = target;
    return;
  }
  const args = target.slice(question + 1);
  context.path = target.slice(0, question);
  if (args === "") context.args = "";
  else context.args = context.args === "" ? args : `${args}&${context.args}`;
}

/** A regular expression that leaves its captures, numbered and named, in the request. PCRE's `(?<name>` is JavaScript's. */
export function compileRegex(
  pattern: string,
  flags: string,
  scope: VariableScope,
): (context: RequestContext, subject: string) => boolean {
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
