/** What a request for a file asks for: all of it, a part of it, or only whether it has changed (RFC 9110). */
import type { HeaderFields } from "../../../http1/fields/header-fields.ts";

export interface FileFacts {
  readonly bytes: number;
  /** Seconds since the epoch. */
  readonly modifiedS: number;
}

export interface FileRules {
  readonly etag: boolean;
  readonly modifiedSince: "off" | "exact" | "before";
}

/** What is sent of a file: bytes `[start, end)`. */
export interface FileHead {
  readonly status: number;
  /** Header lines, each with its CRLF, without type and length. */
  readonly lines: string;
  readonly start: number;
  readonly end: number;
}

export function fileHead(fields: HeaderFields, file: FileFacts, rules: FileRules): FileHead {
  const { bytes, modifiedS } = file;
  const tag = entityTag(file);
  const modified = `Last-Modified: ${new Date(modifiedS * 1000).toUTCString()}\r\n`;
  const lines = modified + (rules.etag ? `ETag: ${tag}\r\n` : "");
  if (failsCondition(fields, tag, modifiedS)) return { status: 412, lines: "", start: 0, end: 0 };
  if (isUnchanged(fields, tag, modifiedS, rules)) return { status: 304, lines, start: 0, end: 0 };
  const range = rangeOf(fields, tag, file);
  if (range === undefined || range.end === 0) {
    return { status: 200, lines: `${lines}Accept-Ranges: bytes\r\n`, start: 0, end: bytes };
  }
  if (range.start >= range.end && range.start > 0) {
    return { status: 416, lines: `Content-Range: bytes */${bytes}\r\n`, start: 0, end: 0 };
  }
  const { start, end } = range;
  const content = `Content-Range: bytes ${start}-${end - 1}/${bytes}\r\n`;
  return { status: 206, lines: lines + content, start, end };
}

/** As nginx makes it. */
export function entityTag({ bytes, modifiedS }: FileFacts): string {
  return `"${modifiedS.toString(16)}-${bytes.toString(16)}"`;
}

function failsCondition(fields: HeaderFields, tag: string, modifiedS: number): boolean {
  const since = secondsOf(fields.get("if-unmodified-since"));
  if (since !== undefined && modifiedS > since) return true;
  const match = fields.get("if-match");
  return match !== undefined && !hasTag(match, tag, false);
}

function isUnchanged(
  fields: HeaderFields,
  tag: string,
  modifiedS: number,
  { modifiedSince }: FileRules,
): boolean {
  const since = fields.get("if-modified-since");
  const noneMatch = fields.get("if-none-match");
  if (since === undefined && noneMatch === undefined) return false;
  const time = secondsOf(since);
  const isOlder =
    modifiedSince !== "off" &&
    time !== undefined &&
    (time === modifiedS || (modifiedSince === "before" && time > modifiedS));
  if (since !== undefined && !isOlder) return false;
  return noneMatch === undefined || hasTag(noneMatch, tag, true);
}

/** @param isWeak `W/` does not count */
function hasTag(list: string, tag: string, isWeak: boolean): boolean {
  if (list.trim() === "*") return true;
  const tags = list.split(",").map((one) => one.trim());
  return tags.some((one) => (isWeak ? one.replace(/^W\//, "") : one) === tag);
}

function secondsOf(date: string | undefined): number | undefined {
  const ms = date === undefined ? Number.NaN : Date.parse(date);
  return Number.isNaN(ms) ? undefined : Math.floor(ms / 1000);
}

/** One range; several are not sent in parts, but as the whole file. Undefined = the whole file. */
function rangeOf(
  fields: HeaderFields,
  tag: string,
  { bytes, modifiedS }: FileFacts,
): { readonly start: number; readonly end: number } | undefined {
  const header = fields.get("range");
  const condition = fields.get("if-range");
  const [, first = "", last = ""] = /^bytes=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(header ?? "") ?? [];
  if (first === "" && last === "") return undefined;
  if (condition !== undefined) {
    const isSame = condition.startsWith('"')
      ? condition === tag
      : secondsOf(condition) === modifiedS;
    if (!isSame) return undefined;
  }
  if (first === "") return { start: Math.max(0, bytes - Number(last)), end: bytes };
  const end = last === "" ? bytes : Math.min(bytes, Number(last) + 1);
  return { start: Number(first), end };
}
