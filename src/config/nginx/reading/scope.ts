/** What a directive's arguments are read with: its node and context, and what the whole configuration shares. */
import { resolve } from "node:path";
import { isHeaderName } from "../../values/header-name.ts";
import type { Word } from "../syntax/lexer.ts";
import type { ConfNode } from "../syntax/parser.ts";
import { DirectiveError, type Report } from "../syntax/report.ts";
import type { Context } from "./context.ts";
import { type JsRegex, translateRegex } from "./regex.ts";
import type { Variables } from "./variables.ts";

/** One for the whole configuration. */
export interface Loading {
  readonly report: Report;
  readonly variables: Variables;
  /** Relative paths of unix sockets start here. */
  readonly prefix: string;
  /** The folder of the configuration, where those of certificates start. */
  readonly folder: string;
}

export class Scope {
  readonly node: ConfNode;
  readonly context: Context;
  readonly loading: Loading;

  constructor(node: ConfNode, context: Context, loading: Loading) {
    this.node = node;
    this.context = context;
    this.loading = loading;
  }

  get name(): string {
    return this.node.name.text;
  }

  /** @param word the wrong argument, if it is not the whole directive */
  error(message: string, word?: Word, hint?: string): DirectiveError {
    return new DirectiveError(message, word?.position, hint);
  }

  fail(message: string, word?: Word, hint?: string): never {
    throw this.error(message, word, hint);
  }

  /** Reported once per directive and subject. */
  notice(message: string, word: Word = this.node.name, subject = ""): void {
    this.loading.report.notice(`${this.name} ${subject}`, word.position, message);
  }

  /** The absolute path of a unix socket. */
  socketPath(path: string): string {
    return resolve(this.loading.prefix, path);
  }

  /** The absolute path of a file that is named relative to the configuration. */
  configPath(path: string): string {
    return resolve(this.loading.folder, path);
  }

  /** The absolute path of a folder, unless it begins with a variable. */
  folder(text: string): string {
    if (/^[/$]/.test(text)) return text;
    const path = resolve(this.loading.prefix, text);
    return text.endsWith("/") ? `${path}/` : path;
  }

  template(word: Word, text: string = word.text): string {
    return this.loading.variables.use(word, text);
  }

  /** The name of a header, which nginx does not look at. */
  headerName(word: Word): string {
    if (isHeaderName(word.text)) return word.text;
    return this.fail(`invalid header name "${word.text}"`, word);
  }

  /** A part of a log's format. */
  logFormat(word: Word): string {
    return this.loading.variables.use(word, word.text, true);
  }

  /** Its named captures become variables. */
  regex(word: Word, source: string = word.text): JsRegex {
    let regex: JsRegex;
    try {
      regex = translateRegex(source);
    } catch (error) {
      const { message } = error as Error;
      const reason = message.charAt(0).toLowerCase() + message.slice(1);
      return this.fail(`invalid regular expression "${source}": ${reason}`, word);
    }
    for (const name of regex.names) this.loading.variables.declare(name, word);
    return regex;
  }
}
