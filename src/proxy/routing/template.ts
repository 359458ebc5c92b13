/** Compiles templates such as `$remote_addr - $status` to functions of a request. */
import { parseTemplate } from "../../config/values/template.ts";
import { isReservedVariable } from "../../config/values/variables.ts";
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
    const lower = name.toLowerCase();
    const known = this.#indexes.get(lower);
    if (known !== undefined) return known;
    const index = this.#indexes.size;
    this.#indexes.set(lower, index);
    return index;
  }

  /**
   * Makes a variable that is computed when it is read. One that needs itself is empty, as in nginx.
   * @param cached it keeps its first value for the rest of the request
   */
  compute(name: string, render: Render, cached = false): void {
    let busy = false;
    const read: Render = (context) => {
      if (busy) return "";
      busy = true;
      try {
        return render(context);
      } finally {
        busy = false;
      }
    };
    const place = cached ? this.indexOf(`value of ${name}`) : -1;
    const keep: Render = (context) => (context.variables[place] ??= read(context));
    this.#computed.set(name.toLowerCase(), cached ? keep : read);
  }

  /**
   * How to read a variable. The configuration was checked, so an unknown name is one that is assigned later: empty. A
   * built-in one cannot be hidden, since a capture's text comes from a client; one of a family (`$http_…`) can.
   */
  reader(name: string, escapeCapture: EscapeCapture = asIs): Render {
    if (/^[1-9]$/.test(name)) {
      const group = Number(name);
      return (context) => escapeCapture(context, context.captures[group] ?? "");
    }
    const lower = name.toLowerCase();
    const render = builtIn(lower);
    if (render !== undefined && isReservedVariable(lower)) return render;
    // Looked up on first use: a map may be declared after the template that reads it.
    let read: Render | undefined;
    return (context) => {
      read ??= this.#computed.get(lower) ?? this.#assigned(lower, render);
      return read(context);
    };
  }

  #assigned(name: string, otherwise: Render | undefined): Render {
    if (otherwise === undefined) {
      const index = this.indexOf(name);
      return (context) => context.variables[index] ?? "";
    }
    const index = this.#indexes.get(name);
    if (index === undefined) return otherwise;
    return (context) => context.variables[index] ?? otherwise(context);
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
