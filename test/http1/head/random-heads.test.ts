// Valid heads come back as they were written; damaged ones are refused or fit the grammar, and nothing throws.

import fc from "fast-check";
import { expect, it } from "vitest";
import { NO_FIELDS } from "../../../src/http1/fields/field-set.ts";
import { forwardedLines } from "../../../src/http1/fields/forwarded-lines.ts";
import { findHeadEnd } from "../../../src/http1/head/head-end.ts";
import { parseRequestHead, RequestHead } from "../../../src/http1/head/request-head.ts";
import { parseResponseHead, ResponseHead } from "../../../src/http1/head/response-head.ts";
import { bytesOf, fieldPairs } from "../messages.ts";
import { mutatedRequests, randomOf } from "../mutations.ts";

const FUZZ_CASES = 60_000;

const name = fc.stringMatching(/^X[!#$%&'*+.^_`|~0-9A-Za-z-]{0,12}$/);
const inner = fc.string({
  unit: fc
    .integer({ min: 0x20, max: 0xff })
    .filter((code) => code !== 0x7f)
    .map((code) => String.fromCharCode(code)),
  maxLength: 20,
});
const space = fc.constantFrom("", " ", "\t", "  \t");
const field = fc.record({
  name,
  value: inner.map((text) => text.replace(/^ +| +$/g, "")),
  before: space,
  after: space,
});
const head = fc.record({
  method: fc.constantFrom("GET", "POST", "PUT", "DELETE", "PATCH", "GEX", "POSX"),
  path: fc.stringMatching(/^\/[!$-;=@-[\]-~]{0,20}$/),
  query: fc.option(fc.stringMatching(/^[!$-~]{0,10}$/)),
  minor: fc.constantFrom(0, 1),
  fields: fc.array(field, { maxLength: 30 }),
  emptyLine: fc.boolean(),
});

it("gives back what a valid head was written from", () => {
  const into = new RequestHead();
  fc.assert(
    fc.property(head, ({ method, path, query, minor, fields, emptyLine }) => {
      const lines = [
        "Host: a\r\n",
        ...fields.map((each) => `${each.name}:${each.before}${each.value}${each.after}\r\n`),
      ];
      const target = query === null ? path : `${path}?${query}`;
      const text = `${emptyLine ? "\r\n" : ""}${method} ${target} HTTP/1.${minor}\r\n${lines.join("")}\r\n`;
      const bytes = bytesOf(text);
      expect(findHeadEnd(bytes, 0, bytes.length)).toBe(bytes.length);
      expect(parseRequestHead(text, into)).toBeUndefined();
      expect(into).toMatchObject({ method, target, path, query: query ?? "", minor, host: "a" });
      const pairs = fields.map((each): [string, string] => [each.name, each.value]);
      expect(fieldPairs(into.fields)).toEqual([["Host", "a"], ...pairs]);
      expect(forwardedLines(into.fields, NO_FIELDS)).toBe(lines.join(""));
      for (const each of fields) {
        const lower = each.name.toLowerCase();
        const values = pairs
          .filter((pair) => pair[0].toLowerCase() === lower)
          .map((pair) => pair[1]);
        expect(into.fields.get(lower)).toBe(values.join(", "));
      }
    }),
    { seed: 13, numRuns: 1_500 },
  );
});

// The grammar of RFC 9112 once more, as one expression that has nothing in common with the parser.
const GRAMMAR =
  /^(?:\r\n)?[A-Z_-]+ [!-"$-~\x80-\xff]+ HTTP\/1\.[01]\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*\r\n)*\r\n$/;

it("accepts nothing outside the grammar, and a canonical copy of what it accepts", () => {
  const first = new RequestHead();
  const second = new RequestHead();
  let accepted = 0;
  for (const request of mutatedRequests(FUZZ_CASES, 0xf00d)) {
    const bytes = bytesOf(request);
    const end = findHeadEnd(bytes, 0, bytes.length);
    if (end < 0) continue;
    const text = request.slice(0, end);
    if (parseRequestHead(text, first) !== undefined) continue;
    accepted++;
    expect(text).toMatch(GRAMMAR);
    // That of an absolute target counts.
    const host = first.host === "" ? "" : `Host: ${first.host}\r\n`;
    const lines = fieldPairs(first.fields)
      .filter(([key]) => key.toLowerCase() !== "host")
      .map(([key, value]) => `${key}: ${value}\r\n`);
    const copy = `${first.method} ${first.target} HTTP/1.${first.minor}\r\n${host}${lines.join("")}\r\n`;
    expect(parseRequestHead(copy, second), JSON.stringify([text, copy])).toBeUndefined();
    const { method, target, path, query, keepAlive, contentLength, chunked } = first;
    expect(second).toMatchObject({
      method,
      target,
      path,
      query,
      host: first.host,
      keepAlive,
      contentLength,
      chunked,
    });
  }
  expect(accepted).toBeGreaterThan(FUZZ_CASES / 50);
});

it("neither throws nor loops on random bytes", () => {
  const random = randomOf(0xbad);
  const alphabet = "\r\n\r\n\t :/?HTTP/1.1GEST \x00\x7f\x80\xff,;=0123456789abcdef";
  const request = new RequestHead();
  const response = new ResponseHead();
  for (let i = 0; i < FUZZ_CASES; i++) {
    const length = Math.floor(random() * 60);
    let text = i % 2 === 0 ? "" : "HTTP/1.1 200 ";
    for (let k = 0; k < length; k++) text += alphabet[Math.floor(random() * alphabet.length)];
    const bytes = bytesOf(text);
    expect(findHeadEnd(bytes, 0, bytes.length)).toBeLessThanOrEqual(bytes.length);
    parseRequestHead(`${text}\r\n\r\n`, request);
    parseResponseHead(`${text}\r\n\r\n`, response, "GET");
  }
});
