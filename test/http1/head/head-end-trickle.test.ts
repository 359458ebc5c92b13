// A head that arrives in pieces is found where it ends, is refused as soon as it can be, and costs each byte once.

import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { findHeadEnd, HEAD_MALFORMED, HEAD_UNFINISHED } from "../../../src/http1/head/head-end.ts";
import { parseRequestHead, RequestHead } from "../../../src/http1/head/request-head.ts";
import { bytesOf, get } from "../messages.ts";

afterEach(() => vi.restoreAllMocks());

/** Gives the bytes up to each of `ends` in turn and returns the first answer, with how much had arrived. */
function trickle(bytes: Buffer, ends: readonly number[]): { response: number; arrived: number } {
  let resume = 0;
  for (const end of ends) {
    const response = findHeadEnd(bytes, 0, end, resume);
    if (response !== HEAD_UNFINISHED) return { response, arrived: end };
    resume = end;
  }
  return { response: HEAD_UNFINISHED, arrived: bytes.length };
}

const everyByte = (bytes: Buffer): number[] => Array.from(bytes, (_, i) => i + 1);

it("finds the end when bytes come one by one", () => {
  const bytes = bytesOf(`${get("/")}body\r\n\r\n`);
  expect(trickle(bytes, everyByte(bytes))).toEqual({
    response: get("/").length,
    arrived: get("/").length,
  });
});

it("takes one empty line before the head as part of it", () => {
  const text = `\r\n${get("/")}`;
  const bytes = bytesOf(text);
  expect(trickle(bytes, everyByte(bytes)).response).toBe(text.length);
});

it("begins anywhere in a buffer", () => {
  const bytes = bytesOf(`x\r\n\r\n${get("/")}`);
  expect(findHeadEnd(bytes, 5, bytes.length)).toBe(bytes.length);
});

it("does not see what is left over behind the end", () => {
  const bytes = bytesOf("GET / HTTP/1.1\r\nHost: a\r\n\r\nold\x00\n");
  for (let end = 0; end < 27; end++) expect(findHeadEnd(bytes, 0, end)).toBe(HEAD_UNFINISHED);
  expect(findHeadEnd(bytes, 0, 27)).toBe(27);
});

describe("refuses at once, without waiting for the end,", () => {
  it.each([
    ["lines that end with LF", "GET / HTTP/1.1\n", 15],
    ["LF before the request line", "\nG", 1],
    ["CR and another byte", "GET / HTTP/1.1\rH", 16],
    ["a TLS greeting", "\x16\x03\x01\x02\x00", 1],
    ["NUL in a field", "GET / HTTP/1.1\r\nA: \x00", 20],
  ])("%s", (_, text, arrived) => {
    const bytes = bytesOf(text);
    expect(trickle(bytes, everyByte(bytes))).toEqual({ response: HEAD_MALFORMED, arrived });
    expect(findHeadEnd(bytes, 0, bytes.length)).toBe(HEAD_MALFORMED);
  });
});

it("searches each byte once and three again, however small the pieces", () => {
  const bytes = bytesOf(`GET /${"a".repeat(2_000)}`);
  const indexOf = vi.spyOn(Buffer.prototype, "indexOf");
  trickle(bytes, everyByte(bytes));
  for (const [i, call] of indexOf.mock.calls.entries()) {
    expect(call[1]).toBe(Math.max(0, i - 3));
  }
});

const anyHead = fc.array(fc.constantFrom("\r", "\n", "\r\n", "a", ": ", "\x00", "\x80"), {
  maxLength: 40,
});

it("comes to the same verdict for any pieces", () => {
  fc.assert(
    fc.property(anyHead, fc.array(fc.nat(45), { maxLength: 8 }), (pieces, cuts) => {
      const bytes = bytesOf(pieces.join(""));
      const ends = [
        ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b),
        bytes.length,
      ];
      const whole = findHeadEnd(bytes, 0, bytes.length);
      const { response, arrived } = trickle(bytes, ends);
      if (response !== HEAD_MALFORMED) {
        expect(response).toBe(whole);
      } else if (whole !== HEAD_MALFORMED) {
        // More has arrived since and brought an end; then the parser has to refuse what stands before it.
        expect(whole).toBeGreaterThan(arrived);
        const text = bytes.toString("latin1", 0, whole);
        expect(parseRequestHead(text, new RequestHead())).toBeDefined();
      }
    }),
    { seed: 7, numRuns: 2_000 },
  );
});
