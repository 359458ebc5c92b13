/** The charset of texts that do not name one (nginx's `charset`). */
import type { RouteConfig } from "../../../config/schema/schema.ts";
import type { RequestContext } from "../../context/request-context.ts";
import { singleLine, utf8 } from "../header-text.ts";
import type { Render } from "../render.ts";
import type { VariableScope } from "../template.ts";

const ownTypeLine = /^Content-Type: (.*)\r\n/im;

export class Charset {
  readonly #name: Render;
  readonly #types: ReadonlySet<string>;

  private constructor({ name, types }: NonNullable<RouteConfig["charset"]>, scope: VariableScope) {
    this.#name = scope.compile(utf8(name));
    this.#types = new Set(["text/html", ...types].map((type) => type.toLowerCase()));
  }

  /** Undefined = content types stay as they are. */
  static of(config: RouteConfig["charset"], scope: VariableScope): Charset | undefined {
    return config && new Charset(config, scope);
  }

  /** The header line in place of the one with this type; undefined = that stays. */
  line(context: RequestContext, type: string | undefined): string | undefined {
    if (type === undefined || /;\s*charset=/i.test(type)) return undefined;
    // As in nginx, a type with another parameter is another type.
    if (!(this.#types.has(type.toLowerCase()) || this.#types.has("*"))) return undefined;
    const name = this.#name(context);
    return name === "" || name === "off"
      ? undefined
      : `Content-Type: ${type}; charset=${singleLine(name)}\r\n`;
  }

  /** Header lines of the proxy's own, with the charset in them. */
  inLines(context: RequestContext, lines: string): string {
    return lines.replace(ownTypeLine, (line, type: string) => this.line(context, type) ?? line);
  }
}
