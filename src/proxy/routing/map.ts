/** `map`: a variable whose value depends on another's. Literals win over expressions; expressions in order. */
import type { MapConfig } from "../../config/schema/schema.ts";
import { compileRegex } from "./regex.ts";
import type { Render } from "./render.ts";
import type { VariableScope } from "./template.ts";

export function compileMap(config: MapConfig, scope: VariableScope): void {
  const source = scope.compile(config.source);
  const otherwise = scope.compile(config.default);
  const literals = new Map<string, Render>();
  const expressions: {
    readonly matches: ReturnType<typeof compileRegex>;
    readonly value: Render;
  }[] = [];
  for (const { match, value } of config.entries) {
    const render = scope.compile(value);
    if (match.startsWith("~*"))
      expressions.push({ matches: compileRegex(match.slice(2), "i", scope), value: render });
    else if (match.startsWith("~"))
      expressions.push({ matches: compileRegex(match.slice(1), "", scope), value: render });
    // A leading backslash lets a literal begin with `~`, as in nginx.
    else literals.set(match.replace(/^\\(?=[~\\])/, "").toLowerCase(), render);
  }
  scope.compute(config.variable, (context) => {
    const text = source(context);
    const literal = literals.get(text.toLowerCase());
    if (literal !== undefined) return literal(context);
    // The numbered captures of an expression end with its value: `$1` of the location means the same before and after.
    const { captures } = context;
    const expression = expressions.find(({ matches }) => matches(context, text));
    const value = (expression?.value ?? otherwise)(context);
    context.captures = captures;
    return value;
  });
}
