/**
 * Whether an engine's 2xx to a request that generates is a response: looks at the beginning of a stream, and at the
 * whole of a short response in one piece. Junk costs no client anything as long as it is held back.
 */
import type { KeyName } from "../../body/json/key-name.ts";
import { EventData } from "../../body/sse.ts";
import type { HeaderFields } from "../../http1/fields/header-fields.ts";
import type { ResponseHead } from "../../http1/head/response-head.ts";
import { bufferedResponseBytesMax, firstEventBytesMax } from "../../limits.ts";
import { CollectedBody } from "./body/collected-body.ts";
import type { FramedBody } from "./body/framed-body.ts";
import { isEmpty, jsonFault } from "./body/json-fault.ts";
import { beginsWithError, hasEvents } from "./body/stream-marks.ts";

interface Junk {
  readonly kind: "invalid";
  readonly cause: string;
  /** The engine says so itself: perhaps it could not have the KV cache. */
  readonly isError?: boolean;
}

/** What the request asks for. */
export interface ExpectedResponse {
  /** Undefined = the request does not show it. */
  readonly isStream: boolean | undefined;
  /** The member that lists what was generated; undefined = the endpoint has no such one. */
  readonly choices: KeyName | undefined;
}

/** `open`: it cannot be told yet. */
export type Verdict = Junk | "good" | "open";

const noEvents: Junk = { kind: "invalid", cause: "its stream has no events" };
const notJson: Junk = { kind: "invalid", cause: "its response is not JSON" };
const isError: Junk = { kind: "invalid", cause: "its response is an error", isError: true };
const noStream: Junk = { kind: "invalid", cause: "its response is no stream" };
const notAsked: Junk = { kind: "invalid", cause: "its response is a stream that nobody asked for" };
const notEncoded: Junk = { kind: "invalid", cause: "its response is not encoded as its head says" };
const blankLine = Buffer.from("\n\n");
const blankCrlfLine = Buffer.from("\r\n\r\n");
/** Ends a stream, and cannot be all of it. */
const done = Buffer.from("[DONE]");
/** An error that the client has made is its response. */
const clientsError = /"(code|status)": ?"?4\d\d/;
const emptyList = /^(\[\s*\]|null)/;
/** The first letters of `data`, `event`, `id` and `retry`, and of a comment. */
const fieldStarts = Buffer.from("deir:");
const eventStart = /^(data|event|id|retry)?:/;
const [lineFeed, carriageReturn, colon, lessThan] = Buffer.from("\n\r:<");
/** RFC 1952, section 2.3.1. */
const gzipStart = Buffer.from([0x1f, 0x8b]);

/**
 * For a response that begins. What is no stream of events is of no use before its end, also to a client that has asked
 * for a stream. Undefined = it is too large to be looked at.
 * @param wholeBytesMax a larger response in one piece counts as good
 */
export function responseCheckOf(
  head: ResponseHead,
  expected: ExpectedResponse,
  wholeBytesMax: number = bufferedResponseBytesMax,
): ResponseCheck | undefined {
  const { status, fields, framing, contentLength } = head;
  if (status >= 300) return undefined;
  const isShort = framing !== "length" || contentLength <= wholeBytesMax;
  if (!hasEvents(fields) && !isShort) return undefined;
  return new ResponseCheck(fields, expected, wholeBytesMax);
}

export class ResponseCheck extends CollectedBody {
  /** The stream begins with an error that the client has made: it is a response, and nothing was generated. */
  isClientsError = false;
  readonly #expected: ExpectedResponse;
  /** Its type says so, or else its beginning. */
  #isStream: boolean;
  /** "" = none. */
  readonly #encoding: string;
  readonly #isJson: boolean;
  readonly #wholeBytesMax: number;
  #parts = 0;
  /** Of a stream: where the events end that carry nothing. */
  #emptyEnd = 0;

  constructor(fields: HeaderFields, expected: ExpectedResponse, wholeBytesMax: number) {
    super();
    this.#expected = expected;
    this.#isStream = hasEvents(fields);
    this.#encoding = fields.get("content-encoding") ?? "";
    this.#isJson = /^application\/json\b/i.test(fields.get("content-type") ?? "");
    this.#wholeBytesMax = wholeBytesMax;
  }

  /** Bytes of the body, as they were framed. Not called again after anything but `open`. */
  see(source: FramedBody, chunk: Buffer, start: number, end: number): Verdict {
    this.add(source, chunk, start, end);
    this.#parts += 1;
    if (this.#isStream && this.#expected.isStream === false) return notAsked;
    if (this.#encoding !== "") return this.#encoded();
    return this.#isStream ? this.#beginning(this.bytes) : this.#wholeSoFar();
  }

  /** The response has come to its end. */
  atEnd(): Junk | "good" {
    if (this.#isStream) return noEvents;
    const cause = this.#jsonFault(this.bytes);
    if (cause === "") return this.#lacksStream ? noStream : "good";
    return { kind: "invalid", cause, isError: cause === isError.cause };
  }

  /** vLLM responds in one piece to some requests for streams: what goes on in the background, and tokens in and out. */
  get #lacksStream(): boolean {
    return this.#expected.isStream === true && this.#expected.choices !== undefined;
  }

  /** Nothing of it is decoded: only its beginning shows whether it can be. */
  #encoded(): Verdict {
    if (!/^(x-)?gzip$/i.test(this.#encoding)) return "good";
    if (this.byteLength < gzipStart.length) return "open";
    return this.bytes.subarray(0, gzipStart.length).equals(gzipStart) ? "good" : notEncoded;
  }

  /** Events that carry nothing wait for what follows them: they are no response by themselves. */
  #beginning(bytes: Buffer): Verdict {
    const later = bytes.length > firstEventBytesMax ? "good" : "open";
    for (;;) {
      const at = endOfComments(bytes, this.#emptyEnd);
      // An engine may keep a stream alive by comments: only the first one waits for what follows.
      if (at >= bytes.length)
        return this.#parts > 1 && at > 0 && this.#emptyEnd === 0 ? "good" : later;
      if (!fieldStarts.includes(bytes[at]!)) return noEvents;
      const end = endOfEvent(bytes, at);
      if (end < 0) return later;
      const verdict = this.#event(bytes.subarray(at, end));
      if (verdict !== "open") return verdict;
      this.#emptyEnd = end;
    }
  }

  #event(event: Buffer): Verdict {
    const { json } = new EventData(event);
    const isNamedError = beginsWithError(event, 0, event.length);
    if (json === undefined && !isNamedError) return "open";
    if (json?.equals(done)) return noEvents;
    const cause = isNamedError ? isError.cause : this.#jsonFault(json!);
    if (cause === "") return "good";
    if (cause === isEmpty) return "open";
    if (cause !== isError.cause) return notJson;
    this.isClientsError = clientsError.test(event.toString("latin1"));
    return this.isClientsError ? "good" : isError;
  }

  /** A page needs not be awaited, nothing large is, and a stream goes on at once whatever its type. */
  #wholeSoFar(): Verdict {
    if (this.#parts === 1) {
      const { bytes } = this;
      if (bytes[0] === lessThan) return notJson;
      if (this.#expected.isStream !== false && eventStart.test(bytes.toString("latin1", 0, 8))) {
        this.#isStream = true;
        return this.#beginning(bytes);
      }
      if (this.#beginsWithLine(bytes)) return "good";
    }
    return this.byteLength > this.#wholeBytesMax ? "good" : "open";
  }

  /** vLLM's server of its first days (`vllm.entrypoints.api_server`) streams lines of JSON, without a type. */
  #beginsWithLine(bytes: Buffer): boolean {
    if (this.#isJson || this.#expected.isStream !== true) return false;
    const end = bytes.indexOf(lineFeed!);
    return end > 0 && this.#jsonFault(bytes.subarray(0, end)) === "";
  }

  #jsonFault(json: Buffer): string {
    const cause = jsonFault(json, (textOf) => this.#choicesFault(textOf));
    return cause === "" && !isReadable(json) ? notJson.cause : cause;
  }

  /** An event may be about something else; a response in one piece cannot do without its choices. */
  #choicesFault(textOf: (key: KeyName) => string | undefined): string {
    const { choices } = this.#expected;
    if (choices === undefined) return "";
    const list = textOf(choices);
    const isMissing = list === undefined ? !this.#isStream : emptyList.test(list);
    return isMissing ? isEmpty : "";
  }
}

/** Whether clients can read all of it. Python's JSON has NaN and Infinity as well. Nothing large is read. */
function isReadable(json: Buffer): boolean {
  if (json.length > firstEventBytesMax) return true;
  const text = json.toString("utf8");
  try {
    JSON.parse(text);
    return true;
  } catch {
    return /NaN|Infinity/.test(text);
  }
}

/** Where the first line begins that is neither empty nor a comment. */
function endOfComments(bytes: Buffer, from: number): number {
  let at = from;
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
