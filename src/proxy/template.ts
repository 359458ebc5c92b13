/** Compiles templates such as `$remote_addr - $status` to functions of a request. */
import { parseTemplate } from "../config/template.ts";
import type { RequestContext } from "./context.ts";
import { builtIn } from "./variables.ts";

export type Render = (context: RequestContext) => string;

/** Where a configuration's own variables (`set`, `map`, named captures) live in a request. */
export class VariableScope {
  readonly #indexes = new Map<string, number>();
  readonly #computed = new Map<string, Render>();

  /** Place of an assignable variable in `RequestContext.variables`. */
  indexOf(name: string): number {
    const known = this.#indexes.get(name);
    if (known !== undefined) return known;
    const index = this.#indexes.size;
    this.#indexes.set(name, index);
    return index;
  }

  /** Makes a variable that is computed when it is read. */
  compute(name: string, render: Render): void {
    this.#computed.set(name, render);
  }

  /** How to read a variable. The configuration was checked, so an unknown name is one that is assigned later: empty. */
  reader(name: string): Render {
    if (/^[1-9]$/.test(name)) {
      const group = Number(name);
      return (context) => context.captures[group] ?? "";
    }
    const render = builtIn(name);
    if (render !== undefined && !this.#indexes.has(name)) return render;
    // Looked up on use: a map may be declared after the template that reads it.
    return (context) => {
      const computed = this.#computed.get(name);
      if (computed !== undefined) return computed(context);
      return context.variables[this.indexOf(name)] ?? "";
    };
  }

  compile(template: string): Render {
    const parts = parseTemplate(template).map((part) =>
      part.variable === undefined ? part.literal : this.reader(part.variable),
    );
    const [only] = parts;
    if (parts.length === 0) return () => "";
    if (parts.length === 1) return typeof only === "string" ? () => only : only!;
    return (context) => {
      let text = "";
      for (const part of parts) text += typeof part === "string" ? part : part(context);
      return text;
    };
  }
}

/** Whether a template has no variables, so that it can be rendered once. */
export function isConstant(template: string): boolean {
  return parseTemplate(template).every((part) => part.variable === undefined);
}
