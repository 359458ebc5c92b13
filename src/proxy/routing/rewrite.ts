/** The steps that run before a request is forwarded, in order: nginx's rewrite phase. */
import { parseSize } from "../../config/nginx/reading/units.ts";
import type { ConditionConfig, StepConfig } from "../../config/schema/schema.ts";
import type { RequestContext } from "../context/request-context.ts";
import { compileCondition } from "./conditions.ts";
import { argsUnsafe, decodeRedirect, percentEncode } from "./percent.ts";
import { compileStepRegex } from "./regex.ts";
import type { VariableScope } from "./template.ts";

/** A reply of the configuration's own. */
export interface ReturnedReply {
  readonly status: number;
  /** The body; undefined = what the proxy says of the status. */
  readonly text?: string | undefined;
  /** The target of a redirect. */
  readonly location?: string | undefined;
}

/** As in nginx, only these have a `Location`. */
export function isRedirect(status: number): boolean {
  return (status >= 301 && status <= 303) || status === 307 || status === 308;
}

/**
 * What to do after the steps: go on, go on with the path as it was rewritten (the URI of the target does not replace a
 * part of it), look for the location again, or reply.
 */
export type StepResult = "go-on" | "keep-path" | "search-again" | ReturnedReply;

/**
 * `changed`: the path is another, which leads to another location unless a later step says otherwise. `break` says so:
 * the location stays, and a path that has changed is kept.
 */
type Step = (context: RequestContext) => StepResult | "next" | "changed" | "break";

export type Steps = (context: RequestContext) => StepResult;

const nothing: Steps = () => "go-on";

export function compileSteps(configs: readonly StepConfig[], scope: VariableScope): Steps {
  if (configs.length === 0) return nothing;
  const run = inOrder(configs, scope);
  return (context) => {
    const result = run(context);
    if (result === "next" || result === "break") return "go-on";
    return result === "changed" ? "search-again" : result;
  };
}

function inOrder(configs: readonly StepConfig[], scope: VariableScope): Step {
  const steps = configs.map((config) => compileStep(config, scope));
  return (context) => {
    let changed = false;
    for (const step of steps) {
      const result = step(context);
      if (result === "changed") changed = true;
      else if (result === "break" && changed) return "keep-path";
      else if (result !== "next") return result;
    }
    return changed ? "changed" : "next";
  };
}

type Setter = (context: RequestContext, value: string) => void;

/** Built-in variables that can be set: the query that engines get, and how fast clients get responses. */
const setters: ReadonlyMap<string, Setter> = new Map<string, Setter>([
  [
    "args",
    (context, value) => {
      context.args = value;
    },
  ],
  [
    "limit_rate",
    (context, value) => {
      context.rateOfStep = parseSize(value) ?? context.rateOfStep;
    },
  ],
]);

function compileStep(config: StepConfig, scope: VariableScope): Step {
  if ("set" in config) {
    const value = scope.compile(config.set.value);
    const setter = setters.get(config.set.name.toLowerCase());
    if (setter !== undefined) {
      return (context) => {
        setter(context, value(context));
        return "next";
      };
    }
    const index = scope.indexOf(config.set.name);
    return (context) => {
      context.variables[index] = value(context);
      return "next";
    };
  }
  if ("return" in config) {
    const { status } = config.return;
    const text = config.return.text === undefined ? undefined : scope.compile(config.return.text);
    const isLocation = isRedirect(status);
    return (context) => {
      // What `$status` is in the text; that of an error, if this is its page.
      if (context.status === 0) context.status = status;
      const value = text?.(context);
      return isLocation ? { status, location: value } : { status, text: value };
    };
  }
  if ("break" in config) return () => "break";
  return "if" in config ? compileIf(config.if, scope) : compileRewrite(config.rewrite, scope);
}

function compileIf(condition: ConditionConfig, scope: VariableScope): Step {
  const holds = compileCondition(condition, scope);
  const run = inOrder(condition.steps, scope);
  const { route = "" } = condition;
  return (context) => {
    if (!holds(context)) return "next";
    if (route !== "") context.nextRoute = route;
    return run(context);
  };
}

type RewriteConfig = Extract<StepConfig, { rewrite: unknown }>["rewrite"];

function compileRewrite(config: RewriteConfig, scope: VariableScope): Step {
  const matches = compileStepRegex(config.pattern, config.ignoreCase ? "i" : "", scope);
  // A final `?` drops the query of the request, which otherwise stays behind a new one.
  const keepsArgs = !config.replacement.endsWith("?");
  const text = keepsArgs ? config.replacement : config.replacement.slice(0, -1);
  const url = /^(?:https?:\/\/|\$scheme)/.test(text);
  if (url || config.flag === "redirect" || config.flag === "permanent") {
    const target = scope.compile(text, escapeCapture);
    const status = config.flag === "permanent" ? 301 : 302;
    const separator = text.includes("?") ? "&" : "?";
    return (context) => {
      if (!matches(context, context.path)) return "next";
      const query = keepsArgs && context.args !== "" ? separator + context.args : "";
      return { status, location: decodeRedirect(target(context)) + query };
    };
  }
  const question = text.indexOf("?");
  const path = scope.compile(question < 0 ? text : text.slice(0, question));
  const args = question < 0 ? undefined : scope.compile(text.slice(question + 1), escapeCapture);
  const result = ({ last: "search-again", break: "keep-path", none: "changed" } as const)[
    config.flag
  ];
  return (context) => {
    if (!matches(context, context.path)) return "next";
    // Both are rendered before either changes: they may hold the old ones.
    const newPath = path(context);
    const newArgs = args?.(context) ?? "";
    // A request without a path is an error; nginx responds in the same way.
    if (newPath === "") return { status: 500 };
    context.args = joinArgs(newArgs, keepsArgs ? context.args : "");
    context.path = newPath;
    context.rewritten = true;
    return result;
  };
}

function joinArgs(first: string, second: string): string {
  return first === "" || second === "" ? first + second : `${first}&${second}`;
}

/** A capture of a decoded path, in a query: a `%26` of the path must not become a `&` there (nginx's rule and set). */
function escapeCapture(context: RequestContext, text: string): string {
  return /[%+]/.test(context.head.path) ? percentEncode(text, argsUnsafe) : text;
}
