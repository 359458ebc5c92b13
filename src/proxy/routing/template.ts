/** Compiles templates such as `$remote_addr - $status` to functions of a request. */
import { parseTemplate } from "../../config/values/template.ts";
import type { RequestContext } from "../context/request-context.ts";
import type { Render } from "./render.ts";
import { builtIn } from "./variables.ts";

export type EscapeCapture = (context: RequestContext, text: string) => string;

const asIs: EscapeCapture = (_, text) => text;

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

  /** Makes a variable that is computed when it is read. One that needs itself is empty, as in nginx. */
  compute(name: string, render: Render): void {
    let busy = false;
    this.#computed.set(name, (context) => {
      if (busy) return "";
      busy = true;
      try {
        return render(context);
      } finally {
        busy = false;
      }
    });
  }

  /**
   * How to read a variable. The configuration was checked, so an unknown name is one that is assigned later: empty. A
   * built-in one cannot be hidden: a capture's text comes from a client.
   */
  reader(name: string, escapeCapture: EscapeCapture = asIs): Render {
    if (/^[1-9]$/.test(name)) {
      const group = Number(name);
      return (context) => escapeCapture(context, context.captures[group] ?? "");
    }
    const render = builtIn(name);
    if (render !== undefined) return render;
    // Looked up on use: a map may be declared after the template that reads it.
    return (context) => {
      const computed = this.#computed.get(name);
      if (computed !== undefined) return computed(context);
      return context.variables[this.indexOf(name)] ?? "";
    };
  }

  /** @param escapeCapture what becomes of `$1` to `$9` */
  compile(template: string, escapeCapture: EscapeCapture = asIs): Render {
    const parts = parseTemplate(template).map((part) =>
      part.variable === undefined ? part.literal : this.reader(part.variable, escapeCapture),
    );
    const [requiredEngine] = parts;
    if (parts.length === 0) return () => "";
    if (parts.length === 1)
      return typeof requiredEngine === "string" ? () => requiredEngine : requiredEngine!;
    return (context) => {
      let text = "";
      for (const part of parts) text += typeof part === "string" ? part : part(context);
      return text;
    };
  }
}
