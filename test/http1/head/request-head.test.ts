// What a request head says once it is accepted, and that nothing of an earlier head shows through in a later one.

import { describe, expect, it } from "vitest";
import { FieldId } from "../../../src/http1/fields/field-ids.ts";
import { parseRequestHead, RequestHead } from "../../../src/http1/head/request-head.ts";
import { DEFAULT_HEAD_LIMITS } from "../../../src/http1/limits.ts";
import { fieldPairs, get, post } from "../messages.ts";

function parsed(text: string): RequestHead {
  const head = new RequestHead();
  expect(parseRequestHead(text, head)).toBeUndefined();
  return head;
}

describe("target, path, query and host", () => {
  it.each([
    ["origin form", get("/v1/a?b=c?d"), "/v1/a?b=c?d", "/v1/a", "b=c?d", "a"],
    ["no query", get("/v1/a"), "/v1/a", "/v1/a", "", "a"],
    ["empty query", get("/v1/a?"), "/v1/a?", "/v1/a", "", "a"],
    ["not normalised", get("//a/%2e./b"), "//a/%2e./b", "//a/%2e./b", "", "a"],
    ["absolute form", get("http://A/b?c"), "/b?c", "/b", "c", "A"],
    ["absolute form that Host disagrees with", get("http://b:81/c"), "/c", "/c", "", "b:81"],
    ["absolute form without path", get("http://a"), "/", "/", "", "a"],
    ["absolute form with query alone", get("http://a?b/c"), "/?b/c", "/", "b/c", "a"],
    ["absolute form on 1.0", "GET https://b:1/c HTTP/1.0\r\n\r\n", "/c", "/c", "", "b:1"],
    ["asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "*", "*", "", "a"],
    [
      "absolute form of asterisk",
      "OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n",
      "*",
      "*",
      "",
      "a",
    ],
    ["no host on 1.0", "GET / HTTP/1.0\r\n\r\n", "/", "/", "", ""],
  ])("%s", (_, text, target, path, query, host) => {
    const head = parsed(text);
    expect([head.target, head.path, head.query, head.host]).toEqual([target, path, query, host]);
  });
});

describe("a connection stays open", () => {
  it.each([
    ["HTTP/1.1", [], true],
    ["HTTP/1.1", ["Connection: close"], false],
    ["HTTP/1.1", ["Connection: x-a , CLOSE"], false],
    ["HTTP/1.1", ["Connection: keep-alive, close"], false],
    ["HTTP/1.1", ["Connection: keep-alive", "Connection: close"], false],
    ["HTTP/1.1", ["Connection: closed"], true],
    ["HTTP/1.1", ["Proxy-Connection: close"], true],
    ["HTTP/1.0", [], false],
    ["HTTP/1.0", ["Connection: Keep-Alive"], true],
    ["HTTP/1.0", ["Connection: keep-alive, close"], false],
    ["HTTP/1.0", ["Connection: x-a"], false],
    ["HTTP/1.0", ["Keep-Alive: timeout=5"], false],
  ])("%s %j: %s", (version, lines, keepAlive) => {
    const head = parsed([`GET / ${version}`, "Host: a", ...lines, "\r\n"].join("\r\n"));
    expect([head.minor, head.keepAlive]).toEqual([version === "HTTP/1.1" ? 1 : 0, keepAlive]);
  });
});

it("says how long the body is", () => {
  expect(parsed(post())).toMatchObject({ contentLength: -1, chunked: false });
  expect(parsed(post("Content-Length: 0"))).toMatchObject({ contentLength: 0, chunked: false });
  expect(parsed(post("Content-Length: 9007199254740991")).contentLength).toBe(2 ** 53 - 1);
  expect(parsed(post("Transfer-Encoding: chunked"))).toMatchObject({
    contentLength: -1,
    chunked: true,
  });
});

it("says whether the client waits for 100, which a client of HTTP/1.0 never does", () => {
  expect(parsed(post("Expect: 100-continue")).expectContinue).toBe(true);
  expect(parsed(post()).expectContinue).toBe(false);
  expect(parsed("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").expectContinue).toBe(false);
});

it("shows nothing of an earlier head in a later one", () => {
  const head = new RequestHead();
  const first = post(
    "Connection: close, x-a",
    "Expect: 100-continue",
    "Content-Length: 5",
    "X-A: b",
    "X-B: c",
  );
  for (const text of [
    first,
    get("http://a/b?c"),
    post("Transfer-Encoding: chunked"),
    "broken\r\n\r\n",
  ]) {
    for (const later of [get("/"), "OPTIONS * HTTP/1.0\r\n\r\n"]) {
      parseRequestHead(text, head);
      expect(parseRequestHead(later, head)).toBeUndefined();
      const fresh = parsed(later);
      const { fields, ...rest } = head;
      const { fields: freshFields, ...freshRest } = fresh;
      expect(rest).toEqual(freshRest);
      expect(fieldPairs(fields)).toEqual(fieldPairs(freshFields));
      expect([fields.has(FieldId.ContentLength), fields.nominatedCount]).toEqual([false, 0]);
    }
  }
});

describe("bounds", () => {
  const limits = { headBytes: 100, fieldCount: 2, targetBytes: 10 };
  const codeOf = (text: string): string | undefined =>
    parseRequestHead(text, new RequestHead(), limits)?.code;

  it("refuses a long target with 414, at one byte more", () => {
    expect(codeOf(get("/23456789x"))).toBeUndefined();
    expect(codeOf(get("/23456789xy"))).toBe("GP_TARGET_TOO_LONG");
    expect(parseRequestHead(get("/23456789xy"), new RequestHead(), limits)?.status).toBe(414);
  });

  it("refuses many fields with 431, at one more", () => {
    expect(codeOf("GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n")).toBeUndefined();
    expect(codeOf("GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nC: d\r\n\r\n")).toBe("GP_TOO_MANY_FIELDS");
  });

  it("refuses a large head with 431, at one byte more", () => {
    const head = (padding: number): string =>
      `GET / HTTP/1.1\r\nHost: a\r\nA: ${"b".repeat(padding)}\r\n\r\n`;
    const fits = 100 - head(0).length;
    expect(codeOf(head(fits))).toBeUndefined();
    expect(codeOf(head(fits + 1))).toBe("GP_HEAD_TOO_LARGE");
  });

  it("takes all that the default limits allow", () => {
    const { fieldCount, headBytes, targetBytes } = DEFAULT_HEAD_LIMITS;
    const lines = Array.from({ length: fieldCount - 2 }, (_, i) => `X-${i}: y\r\n`).join("");
    const start = `GET /${"a".repeat(targetBytes - 1)} HTTP/1.1\r\nHost: a\r\n${lines}Pad: `;
    const text = `${start}${"p".repeat(headBytes - start.length - 4)}\r\n\r\n`;
    const head = parsed(text);
    expect([head.fields.count, text.length]).toEqual([fieldCount, headBytes]);
    expect(fieldPairs(head.fields)[fieldCount - 2]).toEqual([`X-${fieldCount - 3}`, "y"]);
  });
});

it("refuses text that is not one whole head", () => {
  for (const text of [
    "",
    "\r\n",
    "GET / HTTP/1.1\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n",
    `${get("/")}x`,
    `${get("/")}\r\n`,
  ]) {
    expect(parseRequestHead(text, new RequestHead()), JSON.stringify(text)).toBeDefined();
  }
});
