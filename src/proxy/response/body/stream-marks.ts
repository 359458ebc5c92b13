/** What the bytes of an event stream show of it, without its events being read. */
import type { HeaderFields } from "../../../http1/fields/header-fields.ts";
import type { ResponseHead } from "../../../http1/head/response-head.ts";
import { bufferedResponseBytesMax } from "../../../limits.ts";

export function hasEvents(fields: HeaderFields): boolean {
  return /^text\/event-stream\b/i.test(fields.get("content-type") ?? "");
}

/** Whether all of it comes soon: what is short, and what is of unknown length and no stream. */
export function endsSoon({ framing, contentLength, fields }: ResponseHead): boolean {
  return framing === "length" ? contentLength <= bufferedResponseBytesMax : !hasEvents(fields);
}

/** Whether other events can be put before and behind them. */
export function hasReadableEvents(fields: HeaderFields): boolean {
  return hasEvents(fields) && !fields.get("content-encoding");
}

const errorStarts = ['data: {"error"', 'data: {"object":"error"', "event: error\n"].map((text) =>
  Buffer.from(text),
);

/** The member says that there is no error. */
const nullError = /^: ?null/;

/** Whether a stream begins with an error: what engines send of a request that fails behind a status of 200. */
export function beginsWithError(bytes: Buffer, start: number, end: number): boolean {
  return errorStarts.some((text) => {
    const at = start + text.length;
    if (at > end || bytes.compare(text, 0, text.length, start, at) !== 0) return false;
    return !nullError.test(bytes.toString("latin1", at, Math.min(at + 6, end)));
  });
}
