// Nanoseconds per head and per chunk of src/http1, on whichever runtime runs it:
//   npx bun bench/micro/http1.ts
//   npx bun build --target=node --outfile=/tmp/http1-bench.mjs bench/micro/http1.ts && node /tmp/http1-bench.mjs

import { ChunkedReader } from "../../src/http1/chunked/chunked-reader.ts";
import { FieldSet } from "../../src/http1/fields/field-set.ts";
import { forwardedLines } from "../../src/http1/fields/forwarded-lines.ts";
import { findHeadEnd } from "../../src/http1/head/head-end.ts";
import { normalizePath } from "../../src/http1/head/normalize-path.ts";
import { parseRequestHead, RequestHead } from "../../src/http1/head/request-head.ts";
import { parseResponseHead, ResponseHead } from "../../src/http1/head/response-head.ts";

const ROUNDS = 7;
const CALLS_PER_ROUND = 300_000;

const requestText = [
  "POST /v1/chat/completions HTTP/1.1",
  "Host: gateway.example.internal:8080",
  "Accept: application/json",
  "Content-Type: application/json",
  "Authorization: Bearer sk-proj-0123456789abcdefghijklmnopqrstuvwxyz0123456789",
  "User-Agent: OpenAI/Python 1.99.1",
  "X-Stainless-Lang: python",
  "X-Stainless-Package-Version: 1.99.1",
  "X-Request-Id: 5d3c0a3e-8c1b-4b52-9e9e-0123456789ab",
  "Accept-Encoding: gzip, deflate",
  "Connection: keep-alive",
  "Content-Length: 2048",
  "\r\n",
].join("\r\n");
const responseText = [
  "HTTP/1.1 200 OK",
  "date: Mon, 02 Nov 2026 10:00:00 GMT",
  "server: uvicorn",
  "content-type: text/event-stream; charset=utf-8",
  "x-request-id: 5d3c0a3e-8c1b-4b52-9e9e-0123456789ab",
  "Transfer-Encoding: chunked",
  "\r\n",
].join("\r\n");

const request = Buffer.concat([Buffer.from(requestText, "latin1"), Buffer.alloc(2048, 0x61)]);
const requestEnd = requestText.length;
const requestHead = new RequestHead();
const responseHead = new ResponseHead();
const dropped = new FieldSet(["Host", "Content-Length", "X-Request-Id"]);
const droppedUnknown = new FieldSet(["Host", "X-Stainless-Lang"]);
const event = `data: {"choices":[{"delta":{"content":"token"}}],"id":"${"0".repeat(150)}"}\n\n`;
const chunk = Buffer.from(`${event.length.toString(16)}\r\n${event}\r\n`, "latin1");
const chunks = Buffer.concat(Array.from({ length: 32 }, () => chunk));
const reader = new ChunkedReader();
let sink = 0;

function measure(name: string, run: () => number): void {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const startedNs = process.hrtime.bigint();
    for (let call = 0; call < CALLS_PER_ROUND; call++) sink += run();
    best = Math.min(best, Number(process.hrtime.bigint() - startedNs) / CALLS_PER_ROUND);
  }
  process.stdout.write(`${name.padEnd(52)} ${best.toFixed(0).padStart(6)} ns\n`);
}

const cut = (): string => request.toString("latin1", 0, requestEnd);

const runtime = process.versions["bun"] ? `bun ${process.versions["bun"]}` : process.version;
process.stdout.write(`${runtime}, request head of ${requestEnd} bytes, best of ${ROUNDS} rounds\n`);
measure("findHeadEnd", () => findHeadEnd(request, 0, request.length));
measure("text from buffer", () => cut().length);
measure("parseRequestHead", () => (parseRequestHead(requestText, requestHead) ? 1 : 0));
measure("forwardedLines", () => forwardedLines(requestHead.fields, dropped).length);
measure("forwardedLines, an unknown name in the set", () => {
  return forwardedLines(requestHead.fields, droppedUnknown).length;
});
measure("text + parseRequestHead + forwardedLines", () => {
  if (parseRequestHead(cut(), requestHead) !== undefined) throw new Error("refused");
  return forwardedLines(requestHead.fields, dropped).length;
});
measure("all of a request: the above + findHeadEnd + path", () => {
  const end = findHeadEnd(request, 0, request.length);
  if (parseRequestHead(request.toString("latin1", 0, end), requestHead) !== undefined) return 0;
  const path = normalizePath(requestHead.path);
  return forwardedLines(requestHead.fields, dropped).length + (path ?? "").length;
});
measure(`parseResponseHead, ${responseText.length} bytes`, () => {
  return parseResponseHead(responseText, responseHead, "POST") ? 1 : 0;
});
reader.reset();
measure(`ChunkedReader.feed, one chunk of ${chunk.length} bytes`, () => {
  return reader.feed(chunk, 0, chunk.length);
});
measure("ChunkedReader.feed, 32 such chunks in one buffer", () => {
  return reader.feed(chunks, 0, chunks.length);
});
if (sink === 0) throw new Error("nothing was measured");
