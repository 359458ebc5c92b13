/** Heads of requests and responses: what is accepted means the same to the next reader, and no line is two. */
import { expect } from "vitest";
import { NO_FIELDS } from "../../../src/http1/fields/field-set.ts";
import { forwardedLines } from "../../../src/http1/fields/forwarded-lines.ts";
import type { MessageHead } from "../../../src/http1/head/framing.ts";
import { findHeadEnd } from "../../../src/http1/head/head-end.ts";
import { normalizePath } from "../../../src/http1/head/normalize-path.ts";
import { parseRequestHead, RequestHead } from "../../../src/http1/head/request-head.ts";
import { parseResponseHead, ResponseHead } from "../../../src/http1/head/response-head.ts";
import type { Random, Target } from "../fuzzer.ts";

const words = [
  ...'\r\n\t\0 :;,=-_#?/\\"%\x7f\x80\xff',
  "\r\n",
  "\r\n\r\n",
  "\n\n",
  "\r\n ",
  "Transfer-Encoding: chunked\r\n",
  "Content-Length: 5\r\n",
  "Content-Length: 0, 5\r\n",
  "Connection: close, x\r\n",
  "Host: b\r\n",
  "x_data_parallel_rank: 1\r\n",
  "HTTP/1.1",
  "HTTP/1.0 ",
  "http://a",
  "/../",
  "%2e%2e%2f",
  "%00",
  "101 ",
  "204 ",
];

/** The end of the head, the same however the bytes come; undefined = there is none, or it is refused early. */
function headIn(input: Buffer, random: Random): string | undefined {
  const whole = findHeadEnd(input, 0, input.length);
  let seen = 0;
  let found = -1;
  while (found < 0 && seen < input.length) {
    const before = seen;
    seen = Math.min(input.length, seen + 1 + Math.floor(random() * 20));
    found = findHeadEnd(input, 0, seen, before);
    // Bytes that are malformed early stay so; a whole head further on is not looked for.
    if (found < -1 || (found < 0 && findHeadEnd(input, 0, seen) < -1)) return undefined;
  }
  expect(found).toBe(whole < 0 ? found : whole);
  return whole < 0 ? undefined : input.toString("latin1", 0, whole);
}

/** What every accepted head keeps to. */
function checkHead(head: MessageHead): void {
  expect(head.chunked && head.contentLength >= 0).toBe(false);
  for (let i = 0; i < head.fields.count; i += 1) {
    expect(head.fields.name(i)).toMatch(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/);
    expect(head.fields.value(i)).not.toMatch(/[\r\n\0]/);
  }
}

/** By the text alone: what two readers could frame or route differently is not accepted. */
function checkLines(text: string): void {
  const count = (name: string) => text.match(new RegExp(`^${name}:`, "gim"))?.length ?? 0;
  for (const name of ["content-length", "transfer-encoding"])
    expect(count(name), name).toBeLessThanOrEqual(1);
  expect(count("content-length") + count("transfer-encoding")).toBeLessThanOrEqual(1);
  expect(text).not.toMatch(/\n[ \t]|[^\r]\n|\r[^\n]/);
}

/** Lines that are forwarded are read again as the same lines, none of them of one hop. */
function relined(head: MessageHead): string {
  const lines = forwardedLines(head.fields, NO_FIELDS);
  expect(lines).not.toMatch(/^(?:connection|transfer-encoding|upgrade|keep-alive):/im);
  expect(lines === "" || lines.endsWith("\r\n")).toBe(true);
  return lines;
}

export const requestHead: Target = {
  name: "request-head",
  words,
  check(input, random) {
    const text = headIn(input, random);
    if (text === undefined) return;
    const head = new RequestHead();
    const problem = parseRequestHead(text, head);
    if (problem !== undefined) {
      expect(problem.status).toBeGreaterThanOrEqual(400);
      return;
    }
    checkHead(head);
    checkLines(text);
    const hosts = text.match(/^host:/gim)?.length ?? 0;
    expect(hosts).toBeGreaterThanOrEqual(head.minor);
    expect(hosts).toBeLessThanOrEqual(1);
    expect(text.match(/^authorization:/gim)?.length ?? 0).toBeLessThanOrEqual(1);
    expect(head.target).toMatch(/^(?:\*|\/[\x21-\x7e\x80-\xff]*)$/);
    const path = normalizePath(head.path);
    if (path !== undefined && path !== "*") {
      expect(path.startsWith("/")).toBe(true);
      expect(path).not.toMatch(/\/\/|\/\.\.?(?:\/|$)/);
    }
    const host = /^host:/im.test(relined(head)) ? "" : "Host: a\r\n";
    const again = `${head.method} ${head.target} HTTP/1.1\r\n${host}${relined(head)}\r\n`;
    const second = new RequestHead();
    expect(parseRequestHead(again, second)).toBeUndefined();
    expect([second.method, second.path, second.query]).toEqual([
      head.method,
      head.path,
      head.query,
    ]);
    expect(relined(second)).toBe(host + relined(head));
  },
};

export const responseHead: Target = {
  name: "response-head",
  words,
  check(input, random) {
    const text = headIn(input, random);
    if (text === undefined) return;
    const head = new ResponseHead();
    const problem = parseResponseHead(text, head, random() < 0.8 ? "POST" : "HEAD");
    if (problem !== undefined) return;
    checkHead(head);
    checkLines(text);
    expect(head.status).toBeGreaterThanOrEqual(100);
    if (head.status < 200 || head.status === 204)
      expect(text).not.toMatch(/^transfer-encoding:|^content-length: *0*[1-9]/im);
    expect(head.status).toBeLessThan(1_000);
    expect(head.reason).not.toMatch(/[\r\n\0]/);
    const again = `HTTP/1.1 ${head.status} ${head.reason}\r\n${relined(head)}\r\n`;
    const second = new ResponseHead();
    expect(parseResponseHead(again, second, "GET")).toBeUndefined();
    expect(relined(second)).toBe(relined(head));
  },
};
