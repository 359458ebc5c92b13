/**
 * Whether an engine's 2xx to a request that generates is a response: looks at the beginning of a stream, and at the
 * whole of a short response in one piece. Junk costs no client anything as long as it is held back.
 */
import type { ResponseHead } from "../../http1/head/response-head.ts";
import { bufferedResponseBytesMax, firstEventBytesMax } from "../../limits.ts";
import { CollectedBody } from "./body/collected-body.ts";
import type { FramedBody } from "./body/framed-body.ts";
import { jsonFault } from "./body/json-fault.ts";
import { beginsWithError, hasEvents } from "./body/stream-marks.ts";

interface Junk {
  readonly kind: "invalid";
  readonly cause: string;
  /** The engine says so itself: perhaps it could not have the KV cache. */
  readonly isError?: boolean;
}

/** `open`: it cannot be told yet. */
export type Verdict = Junk | "good" | "open";

const noEvents: Junk = { kind: "invalid", cause: "its stream has no events" };
const notJson: Verdict = { kind: "invalid", cause: "its response is not JSON" };
const isError: Junk = { kind: "invalid", cause: "its response is an error", isError: true };
const blankLine = Buffer.from("\n\n");
const blankCrlfLine = Buffer.from("\r\n\r\n");
const dataField = Buffer.from("data:");
/** Ends a stream, and cannot be all of it. */
const done = Buffer.from("[DONE]");
/** An error that the client has made is its response. */
const clientsError = /"(code|status)": ?"?4\d\d/;
/** The first letters of `data`, `event`, `id` and `retry`, and of a comment. */
const fieldStarts = Buffer.from("deir:");
const [lineFeed, carriageReturn, colon, lessThan] = Buffer.from("\n\r:<");

/**
 * For a response that begins. Only what is JSON or events, or should be, is looked at: undefined = it is neither. What
 * is no stream of events is of no use before its end, also to a client that has asked for a stream.
 * @param wholeBytesMax a larger response in one piece counts as good
 */
export function responseCheckOf(
  head: ResponseHead,
  wholeBytesMax: number = bufferedResponseBytesMax,
): ResponseCheck | undefined {
  const { status, fields, framing, contentLength } = head;
  if (status >= 300 || fields.get("content-encoding")) return undefined;
  const isStream = hasEvents(fields);
  const isShort = framing !== "length" || contentLength <= wholeBytesMax;
  const isText = /^(application\/json|text\/|$)/i.test(fields.get("content-type") ?? "");
  return isStream || (isShort && isText) ? new ResponseCheck(isStream, wholeBytesMax) : undefined;
}

export class ResponseCheck extends CollectedBody {
  /** The stream begins with an error that the client has made: it is a response, and nothing was generated. */
  isClientsError = false;
  readonly #isStream: boolean;
  readonly #wholeBytesMax: number;
  #parts = 0;

  constructor(isStream: boolean, wholeBytesMax: number) {
    super();
    this.#isStream = isStream;
    this.#wholeBytesMax = wholeBytesMax;
  }

  /** Bytes of the body, as they were framed. Not called again after anything but `open`. */
  see(source: FramedBody, chunk: Buffer, start: number, end: number): Verdict {
    this.add(source, chunk, start, end);
    this.#parts += 1;
    return this.#isStream ? this.#beginning(this.bytes) : this.#wholeSoFar();
  }

  /** The response has come to its end. */
  atEnd(): Junk | "good" {
    if (this.#isStream) return noEvents;
    const cause = jsonFault(this.bytes);
    return cause === "" ? "good" : { kind: "invalid", cause, isError: cause === isError.cause };
  }

  #beginning(bytes: Buffer): Verdict {
    const at = endOfComments(bytes);
    // An engine may keep a stream alive by comments: only the first one waits for what follows.
    if (at >= bytes.length) return this.#parts > 1 && at > 0 ? "good" : "open";
    if (!fieldStarts.includes(bytes[at]!)) return noEvents;
    const end = endOfEvent(bytes, at);
    if (end < 0) return bytes.length > firstEventBytesMax ? "good" : "open";
    if (beginsWithError(bytes, at, end)) {
      this.isClientsError = clientsError.test(bytes.toString("latin1", at, end));
      return this.isClientsError ? "good" : isError;
    }
    const line = bytes.lastIndexOf(lineFeed!, end - 1) + 1;
    const from = Math.max(at, line);
    const isData = bytes.subarray(from, from + dataField.length).equals(dataField);
    if (!isData) return "good";
    if (bytes.subarray(end - done.length, end).equals(done)) return noEvents;
    return endsJson(bytes[end - 1]!) ? "good" : notJson;
  }

  /** A page needs not be awaited, and nothing large is. */
  #wholeSoFar(): Verdict {
    if (this.#parts === 1 && this.bytes[0] === lessThan) return notJson;
    return this.byteLength > this.#wholeBytesMax ? "good" : "open";
  }
}

/** Where the first line begins that is neither empty nor a comment. */
function endOfComments(bytes: Buffer): number {
  let at = 0;
  for (;;) {
    while (bytes[at] === lineFeed || bytes[at] === carriageReturn) at += 1;
    if (bytes[at] !== colon) return at;
    const end = bytes.indexOf(lineFeed!, at);
    if (end < 0) return bytes.length;
    at = end + 1;
  }
}

/** Where the blank line behind the event begins; -1 = it has not come. */
function endOfEvent(bytes: Buffer, from: number): number {
  const end = bytes.indexOf(blankLine, from);
  return end < 0 ? bytes.indexOf(blankCrlfLine, from) : end;
}

/** `}` or `]`, with which objects and lists end. */
function endsJson(byte: number): boolean {
  return byte === 0x7d || byte === 0x5d;
}
