/** Renders a request into a line of an access log. */
import type { LogFormatConfig } from "../config/schema.ts";
import { parseTemplate } from "../config/template.ts";
import type { RequestContext } from "./context.ts";
import type { Render, VariableScope } from "./template.ts";

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
  readonly #escape: (value: string) => string;
  readonly #sink: LineSink;

  constructor(config: LogFormatConfig, scope: VariableScope, sink: LineSink) {
    this.#parts = parseTemplate(config.format).map((part) =>
      part.variable === undefined ? part.literal : scope.reader(part.variable),
    );
    this.#escape = escapes[config.escape];
    this.#sink = sink;
  }

  write(context: RequestContext): void {
    let line = "";
    for (const part of this.#parts) {
      line += typeof part === "string" ? part : this.#escape(part(context));
    }
    this.#sink.write(`${line}\n`);
  }
}

/** As nginx: empty values are `-`; quotes, backslashes and what is not printable ASCII become `\xXX`. */
function escapeDefault(value: string): string {
  if (value === "") return "-";
  if (!/[^ !#-[\]-~]/.test(value)) return value;
  return value.replace(
    /[^ !#-[\]-~]/g,
    (c) => `\\x${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}

const escapes: Readonly<Record<LogFormatConfig["escape"], (value: string) => string>> = {
  default: escapeDefault,
  json: (value) => JSON.stringify(value).slice(1, -1),
  none: (value) => value,
};
