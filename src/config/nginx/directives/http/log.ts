/** Log formats and access logs. */

import { isSyslog, parseSyslog } from "../../../values/syslog-target.ts";
import { flag, many, parameter, reading, words } from "../../reading/arguments.ts";
import { anyHttp, anyHttpAndIf } from "../../reading/context.ts";
import { type Directive, honoured, ignored } from "../../reading/directive.ts";
import type { Scope } from "../../reading/scope.ts";
import { parseNumber, parseSize, parseTime } from "../../reading/units.ts";
import type { Word } from "../../syntax/lexer.ts";

/** The path of a log in the configuration, where `stdout` and `stderr` are not files. */
export function logFile(path: string): string {
  if (path === "stderr" || path === "/dev/stderr") return "stderr";
  if (path === "/dev/stdout") return "stdout";
  return path === "stdout" ? "./stdout" : path;
}

const escapings = ["default", "json", "none"] as const;

export const logFormat = honoured(
  "log_format",
  ["http"],
  reading(2, many, ([name, ...rest], scope) => {
    const [first] = rest;
    const style = first === undefined ? undefined : parameter(first, "escape");
    const escaping = escapings.find((known) => known === (style ?? "default"));
    if (escaping === undefined) scope.fail(`unknown log format escaping "${style}"`, first);
    const pieces = style === undefined ? rest : rest.slice(1);
    const format = pieces.map((word) => scope.logFormat(word)).join("");
    return { name: name!, format: { format, escape: escaping } };
  }),
  "`logFormats`",
  {
    repeats: true,
    note: "`combined` is built in, and so is `json`, which a format of that name replaces.",
  },
);

export type AccessLog =
  | { readonly off: true }
  | {
      readonly off?: never;
      readonly file: string;
      readonly format: Word | undefined;
      /** A template; undefined = always. */
      readonly condition: string | undefined;
    };

/** @returns the log as the configuration names it */
export function syslogFile(word: Word, scope: Scope): string {
  const target = parseSyslog(word.text.slice("syslog:".length));
  return "problem" in target ? scope.fail(target.problem, word) : word.text;
}

function readAccessLog([file, format, ...parameters]: readonly Word[], scope: Scope): AccessLog {
  if (file!.text === "off") {
    if (format !== undefined) scope.fail(`invalid parameter "${format.text}"`, format);
    return { off: true };
  }
  const isRemote = isSyslog(file!.text);
  const path = isRemote ? syslogFile(file!, scope) : logFile(file!.text);
  if (file!.text.includes("$")) {
    scope.fail("variables in the path of a log are not supported", file);
  }
  let condition: string | undefined;
  let buffered = false;
  let flushed = false;
  for (const word of parameters) {
    const when = parameter(word, "if");
    if (when !== undefined) {
      condition = scope.template(word, when);
      continue;
    }
    const [name, value] = /^(buffer|flush|gzip)(?:=(.*))?$/s.exec(word.text)?.slice(1) ?? [];
    if (name === undefined) scope.fail(`invalid parameter "${word.text}"`, word);
    checkBuffering(name, value, word, scope);
    flushed ||= name === "flush";
    buffered ||= name !== "flush";
  }
  if (buffered && isRemote) scope.fail("logs to syslog cannot be buffered", file);
  if (flushed && !buffered) scope.fail(`no buffer is defined for access_log "${file!.text}"`, file);
  return { file: path, format, condition };
}

function checkBuffering(name: string, value: string | undefined, word: Word, scope: Scope): void {
  if (name === "buffer" && !parseSize(value ?? "")) {
    scope.fail(`invalid buffer size "${value ?? ""}"`, word);
  }
  if (name === "flush" && !parseTime(value ?? "")) {
    scope.fail(`invalid flush time "${value ?? ""}"`, word);
  }
  if (name !== "gzip") return;
  const level = value === undefined ? 1 : (parseNumber(value) ?? 0);
  if (level < 1 || level > 9) scope.fail("invalid compression level", word);
  scope.notice("logs are not compressed", word, "gzip");
}

export const accessLog = honoured(
  "access_log",
  anyHttpAndIf,
  reading(1, many, readAccessLog),
  "`accessLogs`",
  {
    repeats: true,
    byDefault: "`off`",
    note:
      "`off`, or a file or `syslog:…` and a format, then `if=`. `buffer=` and `flush=` are accepted: lines are " +
      "written together anyway. A syslog daemon is reached by UDP.",
  },
);

export const logDirectives: readonly Directive[] = [
  logFormat,
  accessLog,
  ignored("open_log_file_cache", anyHttp, words(1, 4), "log files stay open"),
  ignored("log_subrequest", anyHttp, flag, "each request has one line"),
];
