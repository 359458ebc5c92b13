/** Renders a request into a line of an access log. */
import type { LogFormatConfig } from "../config/schema.ts";
import { parseTemplate } from "../config/template.ts";
import type { RequestContext } from "./context.ts";
import type { Render, VariableScope } from "./template.ts";
import { builtIn } from "./variables.ts";

export interface LineSink {
  write(line: string): void;
}

/** nginx's `combined`. */
export const combined: LogFormatConfig = {
  format:
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"',
  escape: "default",
};

export class AccessLog {
  readonly #parts: readonly (string | Render)[];
  readonly #sink: LineSink;

  constructor(config: LogFormatConfig, scope: VariableScope, sink: LineSink) {
    const escapeValue = escapes[config.escape];
    this.#parts = parseTemplate(config.format).map((part) => {
      if (part.variable === undefined) return part.literal;
      const read = scope.reader(part.variable);
      const absent = config.escape === "default" && !mayBeEmpty(part.variable) ? "-" : "";
      return (context) => {
        const value = read(context);
        return value === "" ? absent : escapeValue(value);
      };
    });
    this.#sink = sink;
  }

  write(context: RequestContext): void {
    let line = "";
    for (const part of this.#parts) line += typeof part === "string" ? part : part(context);
    this.#sink.write(`${line}\n`);
  }
}

/** Whether nginx knows this variable's emptiness as a value. What a request does not have is `-`. */
function mayBeEmpty(name: string): boolean {
  return builtIn(name) === undefined || /^(?:is_args|server_name|request_completion)$/.test(name);
}

/** As nginx: quotes, backslashes and what is not printable ASCII become `\xXX`, byte by byte. */
function escapeDefault(value: string): string {
  if (!/[^ !#-[\]-~]/.test(value)) return value;
  return value.replace(/[^ !#-[\]-~]/gu, (char) => {
    // Values are bytes, one per character, but for decoded paths.
    const bytes = Buffer.from(char, char > "\xff" ? "utf8" : "latin1");
    return bytes.toString("hex").toUpperCase().replace(/../g, "\\x$&");
  });
}

/** Bytes that are UTF-8 as the text that they mean. */
function textOf(value: string): string {
  if (!/[\x80-\xff]/.test(value) || /[^\x00-\xff]/.test(value)) return value;
  const text = Buffer.from(value, "latin1").toString("utf8");
  return text.includes("\ufffd") ? value : text;
}

const escapes: Readonly<Record<LogFormatConfig["escape"], (value: string) => string>> = {
  default: escapeDefault,
  json: (value) => JSON.stringify(textOf(value)).slice(1, -1),
  none: textOf,
};
