// Reads whole messages out of one buffer with the parsers under test, the way a connection does.

import { ChunkedReader } from "../../src/http1/chunked/chunked-reader.ts";
import { findHeadEnd } from "../../src/http1/head/head-end.ts";
import { parseRequestHead, RequestHead } from "../../src/http1/head/request-head.ts";
import { type HttpProblem, PROBLEMS } from "../../src/http1/problems.ts";

export const bytesOf = (text: string): Buffer => Buffer.from(text, "latin1");

/** What one reader made of the first message in a buffer. */
export type Reading =
  | { readonly kind: "problem"; readonly problem: HttpProblem }
  | { readonly kind: "unfinished" }
  | {
      readonly kind: "message";
      readonly head: RequestHead;
      readonly body: string;
      /** Bytes of the buffer that belong to the message. */
      readonly length: number;
    };

function readBody(head: RequestHead, bytes: Buffer, from: number): Reading {
  if (head.chunked) {
    const reader = new ChunkedReader();
    const length = reader.feed(bytes, from, bytes.length);
    if (reader.problem !== undefined) return { kind: "problem", problem: reader.problem };
    if (!reader.done) return { kind: "unfinished" };
    return { kind: "message", head, body: joinSpans(bytes, reader, "data"), length };
  }
  const length = from + Math.max(0, head.contentLength);
  if (length > bytes.length) return { kind: "unfinished" };
  return { kind: "message", head, body: bytes.toString("latin1", from, length), length };
}

export function readRequest(text: string): Reading {
  const bytes = bytesOf(text);
  const end = findHeadEnd(bytes, 0, bytes.length);
  if (end === -1) return { kind: "unfinished" };
  if (end === -2) return { kind: "problem", problem: PROBLEMS.badRequestLine };
  const head = new RequestHead();
  const problem = parseRequestHead(bytes.toString("latin1", 0, end), head);
  return problem === undefined ? readBody(head, bytes, end) : { kind: "problem", problem };
}

export function joinSpans(bytes: Uint8Array, reader: ChunkedReader, which: "data" | "raw"): string {
  const [count, pairs] =
    which === "data"
      ? [reader.dataSpanCount, reader.dataSpans]
      : [reader.rawSpanCount, reader.rawSpans];
  let joined = "";
  for (let i = 0; i < count; i++) {
    joined += Buffer.from(bytes).toString("latin1", pairs[2 * i], pairs[2 * i + 1]);
  }
  return joined;
}

/** Field lines of a head as pairs. */
export function fieldPairs(fields: RequestHead["fields"]): [string, string][] {
  return Array.from({ length: fields.count }, (_, i) => [fields.name(i), fields.value(i)]);
}

/** A head of the usual kind around one odd part. */
export const post = (...lines: string[]): string =>
  `POST /v1/completions HTTP/1.1\r\nHost: a\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`;

export const chunkedPost = (body: string): string => post("Transfer-Encoding: chunked") + body;

export const get = (target: string, version = "HTTP/1.1"): string =>
  `GET ${target} ${version}\r\nHost: a\r\n\r\n`;
