/** Renders a request into a line of an access log. */
import type { LogFormatConfig } from "../../config/schema/schema.ts";
import { hideSecret, isSecretName, maskText } from "../../config/values/secrets.ts";
import { parseTemplate } from "../../config/values/template.ts";
import type { RequestContext } from "../context/request-context.ts";
import type { Render } from "./render.ts";
import type { VariableScope } from "./template.ts";
import { builtIn } from "./variables.ts";

export interface LineSink {
  write(line: string): void;
}

/** Where a request that has ended is logged, in whatever format. */
export interface RequestLog {
  write(context: RequestContext): void;
}

/** For some requests only (nginx's `if=`). */
export class ConditionalLog implements RequestLog {
  readonly #to: RequestLog;
  readonly #when: Render;

  constructor(to: RequestLog, when: Render) {
    this.#to = to;
    this.#when = when;
  }

  write(context: RequestContext): void {
    const value = this.#when(context);
    if (value !== "" && value !== "0") this.#to.write(context);
  }
}

/** nginx's `combined`. */
export const combined: LogFormatConfig = {
  format:
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"',
  escape: "default",
};

export class AccessLog implements RequestLog {
  readonly #parts: readonly (string | Render)[];
  readonly #sink: LineSink;

  /** @param masks secrets of clients become `***`; nginx writes them */
  constructor(config: LogFormatConfig, scope: VariableScope, sink: LineSink, masks: boolean) {
    const escapeValue = escapes[config.escape];
    this.#parts = parseTemplate(config.format).map((part) => {
      if (part.variable === undefined) return part.literal;
      const plain = bytesReader(part.variable, scope);
      const read = masks ? maskedReader(part.variable, plain) : plain;
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

/** Reads a variable as bytes, one per character. Only the path is text, since expressions match it. */
function bytesReader(name: string, scope: VariableScope): Render {
  const read = scope.reader(name);
  if (name !== "uri" && name !== "document_uri") return read;
  return (context) => {
    const text = read(context);
    return /[^\x00-\x7f]/.test(text) ? Buffer.from(text, "utf8").toString("latin1") : text;
  };
}

/**
 * A header, a cookie or a member is secret by its name; others may have a secret in them, as in the query of a path.
 * Values without any sign of one, which most are, cost a look at their characters.
 */
function maskedReader(name: string, read: Render): Render {
  if (isSecretName(name)) return (context) => hideSecret(read(context));
  return (context) => {
    const value = read(context);
    return signOfSecret.test(value) ? maskText(value) : value;
  };
}

/** Of a query, the user of a URL, a credential in a header, a key, wherever it stands. */
const signOfSecret = /[=@]|\b(?:bearer|basic|sk|hf|ghp|xox[abp])[-_ \t]/i;

/** Whether nginx knows this variable's emptiness as a value. What a request does not have is `-`. */
function mayBeEmpty(name: string): boolean {
  return builtIn(name) === undefined || /^(?:is_args|server_name|request_completion)$/.test(name);
}

/** As nginx: quotes, backslashes and what is not printable ASCII become `\xXX`, byte by byte. */
function escapeDefault(value: string): string {
  if (!/[^ !#-[\]-~]/.test(value)) return value;
  return value.replace(/[^ !#-[\]-~]/gu, (char) => {
    // A variable of the configuration's own may hold a part of the path, which is text.
    const bytes = Buffer.from(char, char > "\xff" ? "utf8" : "latin1");
    return bytes.toString("hex").toUpperCase().replace(/../g, "\\x$&");
  });
}

/** Bytes that are UTF-8 as the text that they mean. */
export function textOf(value: string): string {
  if (!/[\x80-\xff]/.test(value) || /[^\x00-\xff]/.test(value)) return value;
  const text = Buffer.from(value, "latin1").toString("utf8");
  return text.includes("\ufffd") ? value : text;
}

const escapes: Readonly<Record<LogFormatConfig["escape"], (value: string) => string>> = {
  default: escapeDefault,
  json: (value) => JSON.stringify(textOf(value)).slice(1, -1),
  none: textOf,
};
