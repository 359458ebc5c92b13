// What requests and responses share beyond field lines: how long the body is, and whether the connection stays open.

import { CLASS, CR, equalsIgnoringCase, HTAB, IS_DIGIT, IS_TOKEN, LF, SP } from "../charset.ts";
import { FieldId, fieldIdAt } from "../fields/field-ids.ts";
import { HeaderFields } from "../fields/header-fields.ts";
import { NOMINATED_FIELDS_MAX } from "../limits.ts";
import { type HttpProblem, PROBLEMS } from "../problems.ts";

/** The part of a head that requests and responses have. A connection owns it and reuses it. */
export class MessageHead {
  /** Minor version: HTTP/1.0 or HTTP/1.1. */
  minor: 0 | 1 = 1;
  /** Whether the sender keeps the connection open after this message. */
  keepAlive = true;
  /** Bytes of the body as Content-Length gives them; -1 without one. */
  contentLength = -1;
  /** Whether the body is in chunked transfer coding. */
  chunked = false;
  readonly fields: HeaderFields = new HeaderFields();
}

const COMMA = 0x2c;
const ZERO = 0x30;
// The decimal digits of 2^53 - 1.
const LENGTH_DIGITS_MAX = 16;
const KNOWN_CODINGS: ReadonlySet<string> = new Set([
  "gzip",
  "x-gzip",
  "deflate",
  "compress",
  "x-compress",
]);

/** A number of bytes, or -1 for anything but plain digits. Leading zeros are rejected: some read "010" as octal. */
function readLength(bytes: Uint8Array, start: number, end: number): number {
  const digits = end - start;
  if (digits === 0 || digits > LENGTH_DIGITS_MAX || (digits > 1 && bytes[start] === ZERO))
    return -1;
  let length = 0;
  for (let at = start; at < end; at++) {
    const code = bytes[at]!;
    if ((CLASS[code]! & IS_DIGIT) === 0) return -1;
    length = length * 10 + (code - ZERO);
  }
  return length <= Number.MAX_SAFE_INTEGER ? length : -1;
}

/**
 * Whether the line has a tab around its value. Fields that frame a body may have spaces only: parsers that do not strip
 * a tab from them read another value, or none.
 */
function hasTab(fields: HeaderFields, i: number, bytes: Uint8Array): boolean {
  const end = fields.lineEnd(i);
  for (let at = fields.lineStart(i) + fields.nameLength(i); at < end; at++) {
    if (bytes[at] === HTAB) return true;
  }
  return false;
}

/** 501 for codings of HTTP that this proxy does not implement; 400 for everything else. */
function codingProblem(value: string): HttpProblem {
  const codings = value.toLowerCase().split(",");
  if (codings.length > 1 && codings.at(-1)!.trim() === "chunked") codings.pop();
  return codings.every((coding) => KNOWN_CODINGS.has(coding.trim()))
    ? PROBLEMS.unknownCoding
    : PROBLEMS.badCoding;
}

/** Tokens of Connection headers. */
const OPTION_CLOSE = 1;
const OPTION_KEEP_ALIVE = 2;
const OPTIONS_BAD = -1;

/**
 * Reads the list in bytes[start, end) and returns its OPTION_ bits, or OPTIONS_BAD if it is not a list of tokens or
 * nominates too many names. Empty elements are skipped, as RFC 9110, section 5.6.1, requires.
 */
function readOptions(bytes: Uint8Array, start: number, end: number, fields: HeaderFields): number {
  let options = 0;
  let at = start;
  while (at < end) {
    while (at < end && (bytes[at] === SP || bytes[at] === HTAB)) at++;
    const tokenStart = at;
    while (at < end && (CLASS[bytes[at]!]! & IS_TOKEN) !== 0) at++;
    const tokenEnd = at;
    while (at < end && (bytes[at] === SP || bytes[at] === HTAB)) at++;
    if (at < end && bytes[at] !== COMMA) return OPTIONS_BAD;
    at++;
    if (tokenEnd === tokenStart) continue;
    if (equalsIgnoringCase(bytes, tokenStart, tokenEnd, "keep-alive")) options |= OPTION_KEEP_ALIVE;
    else if (equalsIgnoringCase(bytes, tokenStart, tokenEnd, "close")) options |= OPTION_CLOSE;
    else if (fieldIdAt(bytes, tokenStart, tokenEnd) === 0) {
      if (fields.nominatedCount >= NOMINATED_FIELDS_MAX) return OPTIONS_BAD;
      fields.nominate(tokenStart, tokenEnd);
    }
  }
  return options;
}

function readConnection(head: MessageHead, bytes: Uint8Array): HttpProblem | undefined {
  const { fields } = head;
  head.keepAlive = head.minor === 1;
  let i = fields.indexOf(FieldId.Connection);
  if (i < 0) return undefined;
  let options = 0;
  for (; i < fields.count; i++) {
    if (fields.id(i) !== FieldId.Connection) continue;
    const found = readOptions(bytes, fields.valueStart(i), fields.valueEnd(i), fields);
    if (found === OPTIONS_BAD) return PROBLEMS.badConnection;
    options |= found;
  }
  if ((options & OPTION_CLOSE) !== 0) head.keepAlive = false;
  else if ((options & OPTION_KEEP_ALIVE) !== 0) head.keepAlive = true;
  return undefined;
}

/** Sets length, coding and persistence of a head whose version and fields are read (RFC 9112, sections 6 and 9.3). */
export function readFraming(head: MessageHead, bytes: Uint8Array): HttpProblem | undefined {
  const { fields } = head;
  head.contentLength = -1;
  head.chunked = false;
  const coding = fields.indexOf(FieldId.TransferEncoding);
  const length = fields.indexOf(FieldId.ContentLength);
  if (coding >= 0) {
    if (length >= 0) return PROBLEMS.lengthAndCoding;
    if (head.minor === 0) return PROBLEMS.codingOnOldVersion;
    if (fields.repeats(FieldId.TransferEncoding)) return PROBLEMS.severalCodings;
    if (hasTab(fields, coding, bytes)) return PROBLEMS.badCoding;
    const start = fields.valueStart(coding);
    const end = fields.valueEnd(coding);
    if (!equalsIgnoringCase(bytes, start, end, "chunked"))
      return codingProblem(fields.value(coding));
    head.chunked = true;
  } else if (length >= 0) {
    if (fields.repeats(FieldId.ContentLength)) return PROBLEMS.severalLengths;
    if (hasTab(fields, length, bytes)) return PROBLEMS.badLength;
    head.contentLength = readLength(bytes, fields.valueStart(length), fields.valueEnd(length));
    if (head.contentLength < 0) return PROBLEMS.badLength;
  }
  return readConnection(head, bytes);
}

/** Whether bytes[0, end) end with an empty line. */
export function endsWithBlankLine(bytes: Uint8Array, end: number): boolean {
  return (
    end >= 4 &&
    bytes[end - 4] === CR &&
    bytes[end - 3] === LF &&
    bytes[end - 2] === CR &&
    bytes[end - 1] === LF
  );
}
