// Parses the head of a response as strictly as that of a request; every problem is the engine's fault.

import { CLASS, CR, IS_DIGIT, IS_VALUE, isAscii, LF, SP } from "../charset.ts";
import { readFieldLines } from "../fields/field-lines.ts";
import { DEFAULT_HEAD_LIMITS, type HeadLimits } from "../limits.ts";
import { type HttpProblem, PROBLEMS } from "../problems.ts";
import { endsWithBlankLine, MessageHead, readFraming } from "./framing.ts";
import { bytesOfHead } from "./head-bytes.ts";

/** How the body ends: there is none, by its length, with the last chunk, or when the connection closes. */
export type ResponseFraming = "none" | "length" | "chunked" | "close";

/** Reused for one response after another. Its members are undefined after a problem. */
export class ResponseHead extends MessageHead {
  status = 0;
  /** May be empty; a server need not send one. */
  reason = "";
  framing: ResponseFraming = "none";
}

const ZERO = 0x30;
/** "HTTP/1.1 200", which a space or the line's end follows. */
const STATUS_END = 12;

/** Fills the head from its first line and returns the offset after the line, or the problem. */
function readStatusLine(head: ResponseHead, text: string, bytes: Uint8Array): number | HttpProblem {
  const minor = bytes[7]! - ZERO;
  if (!isAscii(bytes, 0, "HTTP/1.") || (minor !== 0 && minor !== 1) || bytes[8] !== SP) {
    return PROBLEMS.badStatusLine;
  }
  head.minor = minor;
  let status = 0;
  for (let at = 9; at < STATUS_END; at++) {
    if ((CLASS[bytes[at]!]! & IS_DIGIT) === 0) return PROBLEMS.badStatusLine;
    status = status * 10 + (bytes[at]! - ZERO);
  }
  if (status < 100 || status > 599) return PROBLEMS.badStatusLine;
  head.status = status;
  let at = STATUS_END;
  if (bytes[at] === SP) {
    at++;
    while ((CLASS[bytes[at]!]! & IS_VALUE) !== 0) at++;
  }
  if (bytes[at] !== CR || bytes[at + 1] !== LF) {
    return bytes[at] === LF ? PROBLEMS.bareLineFeed : PROBLEMS.badStatusLine;
  }
  const isOk = status === 200 && at - STATUS_END === 3 && isAscii(bytes, STATUS_END + 1, "OK");
  head.reason = isOk ? "OK" : text.slice(STATUS_END + 1, at);
  return at + 2;
}

/** RFC 9112, section 6.3, in its order. */
function setFraming(head: ResponseHead, requestMethod: string): HttpProblem | undefined {
  const { status } = head;
  if (status < 200 || status === 204) {
    // Readers disagree on whether such a body exists, and so on where the next message starts.
    if (head.chunked || head.contentLength > 0) return PROBLEMS.bodyNotAllowed;
    head.framing = "none";
  } else if (status === 304 || requestMethod === "HEAD") {
    head.framing = "none";
  } else if (head.chunked) {
    head.framing = "chunked";
  } else if (head.contentLength >= 0) {
    head.framing = "length";
  } else {
    head.framing = "close";
    head.keepAlive = false;
  }
  return undefined;
}

/**
 * Parses a whole head. `text` has one character per byte (latin1) and ends with the empty line. The method of the
 * request decides whether there is a body. Returns the problem, after which the connection must be closed.
 *
 * @param received the bytes of the text, from offset 0, if the caller has them
 */
export function parseResponseHead(
  text: string,
  into: ResponseHead,
  requestMethod: string,
  limits: HeadLimits = DEFAULT_HEAD_LIMITS,
  received?: Uint8Array,
): HttpProblem | undefined {
  const end = text.length;
  if (end > limits.headBytes) return PROBLEMS.headTooLarge;
  const bytes = received ?? bytesOfHead(text);
  if (!endsWithBlankLine(bytes, end)) return PROBLEMS.unfinishedHead;
  into.fields.reset(text);
  const fieldsStart = readStatusLine(into, text, bytes);
  if (typeof fieldsStart !== "number") return fieldsStart;
  return (
    readFieldLines(bytes, fieldsStart, end, into.fields, limits) ??
    readFraming(into, bytes) ??
    setFraming(into, requestMethod)
  );
}
