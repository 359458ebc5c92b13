/** `location`, error pages, and directives about files. */
import type { ConfigInput } from "../../../schema/schema.ts";
import {
  flag,
  many,
  none,
  number,
  offset,
  reading,
  size,
  time,
  words,
} from "../../reading/arguments.ts";
import { anyHttp, anyHttpAndIf } from "../../reading/context.ts";
import { type Directive, honoured, ignored } from "../../reading/directive.ts";
import type { Scope } from "../../reading/scope.ts";
import { parseNumber } from "../../reading/units.ts";
import type { Word } from "../../syntax/lexer.ts";
import { fileDirectives } from "./files.ts";

export type RouteInput = NonNullable<ConfigInput["servers"][number]["routes"]>[number];
export type Match = RouteInput["match"] & { kind: NonNullable<RouteInput["match"]["kind"]> };

export interface Location {
  readonly kind: Match["kind"] | "named";
  /** The path as it is matched. */
  readonly path: string;
  /** What follows the modifier in the file. */
  readonly written: Word;
}

const kinds: ReadonlyMap<string, Match["kind"]> = new Map([
  ["=", "exact"],
  ["^~", "prefix-first"],
  ["~", "regex"],
  ["~*", "regex-ignore-case"],
]);

function readLocation(args: readonly Word[], scope: Scope): Location {
  const [first, second] = args as [Word, Word?];
  if (second !== undefined) {
    const kind = kinds.get(first.text);
    if (kind === undefined) scope.fail(`invalid location modifier "${first.text}"`, first);
    return ofKind(kind, second, second.text, scope);
  }
  const [, modifier, rest] = /^(=|\^~|~\*|~)(.*)$/s.exec(first.text) ?? [];
  if (modifier !== undefined) return ofKind(kinds.get(modifier)!, first, rest!, scope);
  const kind = first.text.startsWith("@") ? "named" : "prefix";
  return { kind, path: first.text, written: first };
}

function ofKind(kind: Match["kind"], word: Word, path: string, scope: Scope): Location {
  const written = { text: path, position: word.position };
  if (!kind.startsWith("regex")) return { kind, path, written };
  const regex = scope.regex(word, path);
  return { kind: regex.ignoreCase ? "regex-ignore-case" : kind, path: regex.pattern, written };
}

export const location = honoured(
  "location",
  ["server", "location"],
  reading(1, 2, readLocation),
  "an item of `routes`",
  {
    block: "location",
    repeats: true,
    note: "A prefix, `=`, `^~`, `~`, `~*` or `@name`. Locations nest.",
  },
);

export const internal = honoured("internal", ["location"], none, "`internal`");

export type ErrorPage = NonNullable<RouteInput["errorPages"]>[number];

function readErrorPage(args: readonly Word[], scope: Scope): ErrorPage & { readonly word: Word } {
  const uri = args.at(-1)!;
  const response = args.at(-2)!.text.startsWith("=") ? args.at(-2)! : undefined;
  const codes = args.slice(0, response === undefined ? -1 : -2);
  if (codes.length === 0) scope.fail(`invalid value "${response!.text}"`, response);
  const statuses = codes.map((word) => {
    const status = parseNumber(word.text);
    if (status === undefined || status === 499) scope.fail(`invalid value "${word.text}"`, word);
    if (status < 300 || status > 599) {
      scope.fail(`value "${word.text}" must be between 300 and 599`, word);
    }
    return status;
  });
  const page = { statuses, uri: scope.template(uri), word: uri };
  if (response === undefined) return page;
  if (response.text === "=") return { ...page, keepPageStatus: true };
  const status = parseNumber(response.text.slice(1));
  if (status === undefined) scope.fail(`invalid value "${response.text}"`, response);
  if (status < 200 || status > 599) {
    scope.fail(`a response with status ${status} is not supported`, response);
  }
  return { ...page, status };
}

export const errorPage = honoured(
  "error_page",
  anyHttpAndIf,
  reading(2, many, readErrorPage),
  "`errorPages`",
  {
    repeats: true,
    note:
      "Codes, then `=code` or `=` if wanted, then a path, URL or `@name`. " +
      "A page for which no location responds is left out with a notice.",
  },
);

const noFiles = "files are read in pieces, as clients take them";

export const locationDirectives: readonly Directive[] = [
  location,
  internal,
  errorPage,
  ...fileDirectives,
  ignored("types_hash_bucket_size", anyHttp, size, noFiles),
  ignored("types_hash_max_size", anyHttp, number, noFiles),
  ignored("sendfile", anyHttpAndIf, flag, noFiles),
  ignored("sendfile_max_chunk", anyHttp, size, noFiles),
  ignored("aio", anyHttp, words(1), noFiles),
  ignored("aio_write", anyHttp, flag, noFiles),
  ignored("directio", anyHttp, words(1), noFiles),
  ignored("directio_alignment", anyHttp, offset, noFiles),
  ignored("output_buffers", anyHttp, words(2), noFiles),
  ignored("read_ahead", anyHttp, size, noFiles),
  ignored("open_file_cache", anyHttp, words(1, 2), noFiles),
  ignored("open_file_cache_errors", anyHttp, flag, noFiles),
  ignored("open_file_cache_min_uses", anyHttp, number, noFiles),
  ignored("open_file_cache_valid", anyHttp, time, noFiles),
  ignored("open_file_cache_events", anyHttp, flag, noFiles),
  ignored("disable_symlinks", anyHttp, words(1, 2), noFiles),
  ignored("log_not_found", anyHttp, flag, noFiles),
];
