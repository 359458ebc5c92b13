// Parses the head of a request strictly: ambiguous HTTP is rejected with 400.

import { CR, equalsIgnoringCase, LF } from "../charset.ts";
import { FieldId } from "../fields/field-ids.ts";
import { readFieldLines } from "../fields/field-lines.ts";
import { DEFAULT_HEAD_LIMITS, type HeadLimits } from "../limits.ts";
import { type HttpProblem, PROBLEMS } from "../problems.ts";
import { endsWithBlankLine, MessageHead, readFraming } from "./framing.ts";
import { bytesOfHead } from "./head-bytes.ts";
import { isHost } from "./host.ts";
import { type RequestLine, readRequestLine } from "./request-line.ts";

/** Reused for one request after another. Its members are undefined after a problem. */
export class RequestHead extends MessageHead implements RequestLine {
  method = "";
  /** The target to forward: in origin form, also if absolute form arrived, or "*". */
  target = "";
  /** The target up to its query, as sent: neither decoded nor normalised. */
  path = "";
  /** What follows the target's "?", as sent; "" without one. */
  query = "";
  /** The host of an absolute target, or else the Host header, as sent; "" on HTTP/1.0 without either. */
  host = "";
  /** Whether the client waits for 100 (Continue) before it sends the body; never so on HTTP/1.0. */
  expectContinue = false;
  /** @internal Where the authority of an absolute target starts in the text; -1 for other forms. */
  authorityStart = -1;
  /** @internal */
  authorityEnd = -1;
}

/** A copy that stays as it is when the head is used again. */
export function copyOfHead(head: RequestHead): RequestHead {
  return Object.assign(new RequestHead(), head, { fields: head.fields.copy() });
}

function readHost(head: RequestHead, bytes: Uint8Array): HttpProblem | undefined {
  const { fields, authorityStart, authorityEnd } = head;
  const absolute = authorityStart >= 0;
  if (absolute && !isHost(bytes, authorityStart, authorityEnd)) return PROBLEMS.badTarget;
  const i = fields.indexOf(FieldId.Host);
  if (i < 0) {
    if (head.minor === 1) return PROBLEMS.missingHost;
    head.host = absolute ? head.fields.text.slice(authorityStart, authorityEnd) : "";
    return undefined;
  }
  if (fields.repeats(FieldId.Host)) return PROBLEMS.severalHosts;
  const start = fields.valueStart(i);
  const end = fields.valueEnd(i);
  if (!isHost(bytes, start, end)) return PROBLEMS.badHost;
  // RFC 9112, section 3.2.2: the host of the target counts, whatever Host says.
  head.host = absolute ? fields.text.slice(authorityStart, authorityEnd) : fields.value(i);
  return undefined;
}

function readExpect(head: RequestHead, bytes: Uint8Array): HttpProblem | undefined {
  const { fields } = head;
  head.expectContinue = false;
  const i = fields.indexOf(FieldId.Expect);
  if (i < 0) return undefined;
  const start = fields.valueStart(i);
  const end = fields.valueEnd(i);
  if (fields.repeats(FieldId.Expect) || !equalsIgnoringCase(bytes, start, end, "100-continue")) {
    return PROBLEMS.badExpect;
  }
  // RFC 9110, section 10.1.1: from a client of HTTP/1.0 the expectation is ignored.
  head.expectContinue = head.minor === 1;
  return undefined;
}

/**
 * Parses a whole head. `text` has one character per byte (latin1), ends with the empty line, and may begin with the one
 * CRLF that RFC 9112, section 2.2, lets a server skip. Returns the problem, after which the connection must be closed.
 *
 * @param received the bytes of the text, from offset 0, if the caller has them
 */
export function parseRequestHead(
  text: string,
  into: RequestHead,
  limits: HeadLimits = DEFAULT_HEAD_LIMITS,
  received?: Uint8Array,
): HttpProblem | undefined {
  const end = text.length;
  if (end > limits.headBytes) return PROBLEMS.headTooLarge;
  const bytes = received ?? bytesOfHead(text);
  if (!endsWithBlankLine(bytes, end)) return PROBLEMS.unfinishedHead;
  into.authorityStart = -1;
  into.authorityEnd = -1;
  into.fields.reset(text);
  const lineStart = bytes[0] === CR && bytes[1] === LF ? 2 : 0;
  const fieldsStart = readRequestLine(into, text, bytes, lineStart, limits);
  if (typeof fieldsStart !== "number") return fieldsStart;
  return (
    readFieldLines(bytes, fieldsStart, end, into.fields, limits) ??
    readFraming(into, bytes) ??
    readHost(into, bytes) ??
    readExpect(into, bytes) ??
    (into.fields.repeats(FieldId.Authorization) ? PROBLEMS.severalAuthorizations : undefined)
  );
}
