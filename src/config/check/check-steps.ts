/** Checks of the steps before a request is forwarded. */
import type { ConfigPath } from "../problems/fault.ts";
import { didYouMean } from "../problems/suggest.ts";
import type { ConditionConfig, ServerConfig, StepConfig } from "../schema/schema.ts";
import { isReservedVariable, settableVariables } from "../values/variables.ts";
import type { CheckContext } from "./context.ts";

/** @param path of the steps */
export function checkSteps(
  context: CheckContext,
  server: ServerConfig,
  steps: readonly StepConfig[],
  path: ConfigPath,
): void {
  const { faults, texts } = context;
  steps.forEach((step, index) => {
    const at = [...path, index];
    if ("set" in step) {
      const { name, value } = step.set;
      if (isReservedVariable(name) && !settableVariables.includes(name.toLowerCase())) {
        faults.emerg([...at, "set", "name"], `"$${name}" is a built-in variable`);
      }
      texts.template([...at, "set", "value"], value);
    } else if ("rewrite" in step) {
      texts.regex([...at, "rewrite", "pattern"], step.rewrite.pattern);
      texts.template([...at, "rewrite", "replacement"], step.rewrite.replacement);
    } else if ("return" in step) {
      if (step.return.text !== undefined)
        texts.template([...at, "return", "text"], step.return.text);
    } else if ("if" in step) {
      checkCondition(context, server, step.if, [...at, "if"]);
    }
  });
}

function checkCondition(
  context: CheckContext,
  server: ServerConfig,
  { value, equals, matches, file, steps, route }: ConditionConfig,
  path: ConfigPath,
): void {
  const { faults, texts } = context;
  texts.template([...path, "value"], value);
  if (equals !== undefined) texts.template([...path, "equals"], equals);
  if (matches !== undefined) texts.regex([...path, "matches"], matches);
  if ([equals, matches, file].filter((test) => test !== undefined).length > 1) {
    const message = "a condition has only one of equals, matches and file";
    faults.emerg(path, message, "write several conditions, and set a variable in each");
  }
  checkSteps(context, server, steps, [...path, "steps"]);
  if (route !== undefined) checkName(context, server, route, [...path, "route"]);
}

/** The steps of a server are done before there is a route that another could take over from. */
function checkName(
  { faults }: CheckContext,
  server: ServerConfig,
  name: string,
  path: ConfigPath,
): void {
  if (path[2] === "steps") {
    faults.emerg(path, "a condition of a server cannot choose a route", "move it into the routes");
    return;
  }
  const names = server.routes.map(({ match }) => match.path).filter((one) => one.startsWith("@"));
  if (names.includes(name)) return;
  faults.emerg(path, `no route has the name "${name}"`, didYouMean(name, names));
}
