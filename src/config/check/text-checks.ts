/** Checks of values that have a grammar of their own: templates and regular expressions. */

import type { ConfigPath, Faults } from "../problems/fault.ts";
import { didYouMean } from "../problems/suggest.ts";
import type { Config, ServerConfig, StepConfig } from "../schema/schema.ts";
import { parseTemplate } from "../values/template.ts";
import { isBuiltInVariable, variableNames } from "../values/variables.ts";
import { mayTakeExponentialTime } from "./regex-ambiguity.ts";

export class TextChecks {
  readonly #faults: Faults;
  readonly #ownVariables: ReadonlySet<string>;

  constructor(faults: Faults, config: Config) {
    this.#faults = faults;
    this.#ownVariables = ownVariables(config);
  }

  template(path: ConfigPath, text: string): void {
    let parts: ReturnType<typeof parseTemplate>;
    try {
      parts = parseTemplate(text);
    } catch (error) {
      this.#faults.emerg(path, `${(error as Error).message} in "${text}"`);
      return;
    }
    for (const { variable } of parts) {
      if (variable === undefined || this.#isKnown(variable)) continue;
      const known = [...this.#ownVariables, ...variableNames].filter((name) =>
        /^\w*[^\W_]$/.test(name),
      );
      const hint = didYouMean(variable, known)?.replace('"', '"$');
      this.#faults.emerg(path, `unknown variable "$${variable}"`, hint);
    }
  }

  regex(path: ConfigPath, pattern: string): void {
    const problem = regexProblem(pattern);
    if (problem !== undefined) {
      this.#faults.emerg(path, `invalid regular expression "${pattern}": ${problem}`);
    } else if (mayTakeExponentialTime(pattern)) {
      const hint =
        'let each character match in one way only: "(a+)+" is "a+", "(a|ab)*" is "(ab?)*"';
      const message = `the regular expression "${pattern}" may take very long for some texts`;
      this.#faults.warn(path, `${message}: a loop in it can match them in several ways`, hint);
    }
  }

  #isKnown(variable: string): boolean {
    return (
      /^[1-9]$/.test(variable) ||
      this.#ownVariables.has(variable.toLowerCase()) ||
      isBuiltInVariable(variable)
    );
  }
}

function regexProblem(pattern: string): string | undefined {
  try {
    new RegExp(pattern);
    return undefined;
  } catch (error) {
    // The message repeats the pattern: `Invalid regular expression: /(/: Unterminated group`.
    const { message } = error as Error;
    return message.slice(message.lastIndexOf(": ") + 2).toLowerCase();
  }
}

/** Variables that a configuration defines. As in nginx, all servers share one name space. */
function ownVariables(config: Config): Set<string> {
  const names = new Set(config.maps.map(({ variable }) => variable.toLowerCase()));
  const addCaptures = (pattern: string) => {
    for (const [, name] of pattern.matchAll(/\(\?<([A-Za-z_]\w*)>/g))
      names.add(name!.toLowerCase());
  };
  for (const { entries } of config.maps) for (const { match } of entries) addCaptures(match);
  for (const server of config.servers) {
    server.names.forEach(addCaptures);
    for (const { match } of server.routes) addCaptures(match.path);
    for (const step of stepsOf(server)) {
      if ("set" in step) names.add(step.set.name.toLowerCase());
      if ("rewrite" in step) addCaptures(step.rewrite.pattern);
      if ("if" in step && step.if.matches !== undefined) addCaptures(step.if.matches);
    }
  }
  return names;
}

function stepsOf(server: ServerConfig): StepConfig[] {
  const outer = [...server.steps, ...server.routes.flatMap(({ steps }) => steps)];
  return outer.flatMap((step) => ("if" in step ? [step, ...step.if.steps] : [step]));
}
