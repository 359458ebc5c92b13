/** Conditions of steps: nginx's `if`. */
import type { ConditionConfig } from "../../config/schema/schema.ts";
import type { RequestContext } from "../context/request-context.ts";
import { fileAt } from "./files/file-at.ts";
import { compileStepRegex } from "./regex.ts";
import type { VariableScope } from "./template.ts";

export type Condition = (context: RequestContext) => boolean;

export function compileCondition(config: ConditionConfig, scope: VariableScope): Condition {
  const holds = compileTest(config, scope);
  return config.not ? (context) => !holds(context) : holds;
}

function compileTest(
  { value, equals, matches, ignoreCase, file }: ConditionConfig,
  scope: VariableScope,
): Condition {
  const read = scope.compile(value);
  if (equals !== undefined) {
    const other = scope.compile(equals);
    return (context) => read(context) === other(context);
  }
  if (matches !== undefined) {
    const isMatch = compileStepRegex(matches, ignoreCase ? "i" : "", scope);
    return (context) => isMatch(context, read(context));
  }
  if (file !== undefined) {
    const isThere = fileTests[file];
    return (context) => isThere(read(context));
  }
  return (context) => {
    const text = read(context);
    return text !== "" && text !== "0";
  };
}

const fileTests: Readonly<Record<NonNullable<ConditionConfig["file"]>, (path: string) => boolean>> =
  {
    file: (path) => fileAt(path)?.isFile() ?? false,
    directory: (path) => fileAt(path)?.isDirectory() ?? false,
    any: (path) => fileAt(path) !== undefined,
    executable: (path) => ((fileAt(path)?.mode ?? 0) & executableByOwner) !== 0,
  };

const executableByOwner = 0o100;
