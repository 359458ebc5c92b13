// Reads the request line: method, target in the three forms that are accepted, version.

import {
  CLASS,
  CR,
  equalsIgnoringCase,
  HTAB,
  IS_DIGIT,
  IS_METHOD,
  IS_PATH,
  IS_QUERY,
  isAscii,
  LF,
  SP,
} from "../charset.ts";
import { type HeadLimits, METHOD_BYTES_MAX } from "../limits.ts";
import { type HttpProblem, PROBLEMS } from "../problems.ts";

const ZERO = 0x30;
const DOT = 0x2e;
const STAR = 0x2a;
const SLASH = 0x2f;
const QUESTION_MARK = 0x3f;
/** "HTTP/1.1" and its CRLF. */
const VERSION_LINE_BYTES = 10;

/** The members of a head that the request line fills. */
export interface RequestLine {
  method: string;
  target: string;
  path: string;
  query: string;
  minor: 0 | 1;
  authorityStart: number;
  authorityEnd: number;
}

/** The two methods that inference sees are constants, so that no string is cut for them. */
function methodOf(text: string, bytes: Uint8Array, start: number, end: number): string {
  if (end - start === 4 && isAscii(bytes, start, "POST")) return "POST";
  if (end - start === 3 && isAscii(bytes, start, "GET")) return "GET";
  return text.slice(start, end);
}

/** Why the byte at `at`, which ends the target's characters, is not the space before the version. */
function targetEndProblem(code: number): HttpProblem {
  if (code === LF) return PROBLEMS.bareLineFeed;
  // An end of line here is a request of HTTP/0.9, or has no version.
  return code === CR || code === HTAB ? PROBLEMS.badRequestLine : PROBLEMS.badTargetCharacter;
}

/** Minor version of the ten bytes from `at`, or the problem with them. */
function readVersion(bytes: Uint8Array, at: number): 0 | 1 | HttpProblem {
  const major = bytes[at + 5]!;
  const minor = bytes[at + 7]!;
  if (
    !isAscii(bytes, at, "HTTP/") ||
    (CLASS[major]! & IS_DIGIT) === 0 ||
    bytes[at + 6] !== DOT ||
    (CLASS[minor]! & IS_DIGIT) === 0
  ) {
    return PROBLEMS.badRequestLine;
  }
  if (bytes[at + 8] === LF) return PROBLEMS.bareLineFeed;
  if (bytes[at + 8] !== CR || bytes[at + 9] !== LF) return PROBLEMS.badRequestLine;
  if (major !== ZERO + 1 || minor > ZERO + 1) return PROBLEMS.badVersion;
  return minor === ZERO ? 0 : 1;
}

/** Offset of the authority in a target of absolute form, or -1. */
function authorityStart(bytes: Uint8Array, start: number, end: number): number {
  if (end - start > 7 && equalsIgnoringCase(bytes, start, start + 7, "http://")) return start + 7;
  if (end - start > 8 && equalsIgnoringCase(bytes, start, start + 8, "https://")) return start + 8;
  return -1;
}

/** Brings a target that does not start with a slash into the form to forward, and stores where its authority is. */
function readOtherTarget(
  head: RequestLine,
  text: string,
  bytes: Uint8Array,
  start: number,
  queryMark: number,
  end: number,
): HttpProblem | undefined {
  if (bytes[start] === STAR && end - start === 1) {
    head.target = "*";
    head.path = "*";
    head.query = "";
    return head.method === "OPTIONS" ? undefined : PROBLEMS.badTarget;
  }
  head.authorityStart = authorityStart(bytes, start, queryMark);
  if (head.authorityStart < 0) return PROBLEMS.badTarget;
  let pathStart = head.authorityStart;
  while (pathStart < queryMark && bytes[pathStart] !== SLASH) pathStart++;
  head.authorityEnd = pathStart;
  const search = text.slice(queryMark, end);
  if (pathStart < queryMark) head.path = text.slice(pathStart, queryMark);
  // An absolute form without a path means the whole server to OPTIONS (RFC 9112, section 3.2.4).
  else head.path = head.method === "OPTIONS" && search === "" ? "*" : "/";
  head.target = head.path + search;
  head.query = search.slice(1);
  return undefined;
}

/** Fills the head from the line at `from` and returns the offset after the line, or the problem. */
export function readRequestLine(
  head: RequestLine,
  text: string,
  bytes: Uint8Array,
  from: number,
  limits: HeadLimits,
): number | HttpProblem {
  let at = from;
  while ((CLASS[bytes[at]!]! & IS_METHOD) !== 0) at++;
  const methodEnd = at;
  if (bytes[at] !== SP || methodEnd === from) {
    return bytes[at] === LF ? PROBLEMS.bareLineFeed : PROBLEMS.badRequestLine;
  }
  const start = ++at;
  while ((CLASS[bytes[at]!]! & IS_PATH) !== 0) at++;
  const queryMark = at;
  if (bytes[at] === QUESTION_MARK) {
    while ((CLASS[bytes[at]!]! & IS_QUERY) !== 0) at++;
  }
  const end = at;
  if (bytes[end] !== SP) return targetEndProblem(bytes[end]!);
  if (end === start) return PROBLEMS.badRequestLine;
  const version = readVersion(bytes, end + 1);
  if (typeof version === "object") return version;
  head.minor = version;
  if (methodEnd - from > METHOD_BYTES_MAX) return PROBLEMS.unknownMethod;
  head.method = methodOf(text, bytes, from, methodEnd);
  // The proxy has no tunnels, and TRACE would show a client the header lines that intermediaries add.
  if (head.method === "CONNECT" || head.method === "TRACE") return PROBLEMS.unknownMethod;
  if (end - start > limits.targetBytes) return PROBLEMS.targetTooLong;
  if (bytes[start] === SLASH) {
    head.target = text.slice(start, end);
    head.path = queryMark === end ? head.target : text.slice(start, queryMark);
    head.query = queryMark === end ? "" : text.slice(queryMark + 1, end);
  } else {
    const problem = readOtherTarget(head, text, bytes, start, queryMark, end);
    if (problem !== undefined) return problem;
  }
  return end + 1 + VERSION_LINE_BYTES;
}
