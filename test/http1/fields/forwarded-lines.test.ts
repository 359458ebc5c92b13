// Fields of one hop end at the proxy, all others pass byte for byte, and no client can strip a field that matters.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FIELD_NAMES, LAST_HOP_BY_HOP_ID } from "../../../src/http1/fields/field-ids.ts";
import { FieldSet, NO_FIELDS } from "../../../src/http1/fields/field-set.ts";
import { forwardedLines } from "../../../src/http1/fields/forwarded-lines.ts";
import { parseRequestHead, RequestHead } from "../../../src/http1/head/request-head.ts";
import { post } from "../messages.ts";

function forwarded(drop: FieldSet, ...lines: string[]): string[] {
  const head = new RequestHead();
  expect(parseRequestHead(post(...lines), head)).toBeUndefined();
  const kept = forwardedLines(head.fields, drop);
  return kept === "" ? [] : kept.slice(0, -2).split("\r\n");
}

it("sends lines on as they came", () => {
  const lines = ["X-A:1", "x-A:  2\t", "Accept: \xe9", "Empty:"];
  expect(forwarded(NO_FIELDS, ...lines)).toEqual(["Host: a", ...lines]);
});

it("leaves out the fields of one hop", () => {
  const names =
    "Connection Keep-Alive Proxy-Connection TE Trailer Upgrade Proxy-Authenticate Proxy-Authorization";
  const lines = names.split(" ").map((name) => `${name}: a`);
  expect(forwarded(NO_FIELDS, "B: b", ...lines, "C: d")).toEqual(["Host: a", "B: b", "C: d"]);
  expect(forwarded(NO_FIELDS, "Transfer-Encoding: chunked")).toEqual(["Host: a"]);
});

it("leaves out unknown fields that Connection nominates, in any case and from several lines", () => {
  const lines = [
    "x-hop: 1",
    "X-Kept: 2",
    "Connection: close, X-HOP",
    "X-Hop: 3",
    "connection: http2-settings",
    "HTTP2-Settings: 4",
  ];
  expect(forwarded(NO_FIELDS, ...lines)).toEqual(["Host: a", "X-Kept: 2"]);
});

describe("a client that nominates", () => {
  it.each(FIELD_NAMES.slice(LAST_HOP_BY_HOP_ID + 1))("%s does not strip it", (name) => {
    if (["host", "expect", "content-length"].includes(name)) return;
    expect(forwarded(NO_FIELDS, `Connection: ${name}`, `${name}: 5`)).toEqual([
      "Host: a",
      `${name}: 5`,
    ]);
  });

  it("Host and Content-Length does not strip them, and is still framed by them", () => {
    const lines = ["Connection: Host, content-length", "Content-Length: 5"];
    expect(forwarded(NO_FIELDS, ...lines)).toEqual(["Host: a", "Content-Length: 5"]);
  });

  it("a prefix of a name strips nothing", () => {
    expect(forwarded(NO_FIELDS, "Connection: x, x-ab", "X-A: 1")).toEqual(["Host: a", "X-A: 1"]);
  });
});

it("leaves out a route's own set", () => {
  const drop = new FieldSet(["host", "X-Custom", "etag"]);
  const lines = ["X-Custom: 1", "X-Custon: 2", "ETag: 3", "x-custom: 4"];
  expect(forwarded(drop, ...lines)).toEqual(["X-Custon: 2"]);
  expect(forwarded(drop)).toEqual([]);
});

it("agrees with a line-by-line filter for any lines", () => {
  const name = fc.constantFrom(
    "A",
    "b",
    "X-Hop",
    "x-hop",
    "Host2",
    "Te",
    "Upgrade",
    "Cookie",
    "X-Drop",
    "ETag",
  );
  const drop = new FieldSet(["x-drop", "cookie"]);
  fc.assert(
    fc.property(fc.array(name, { maxLength: 12 }), (names) => {
      const lines = ["Connection: x-hop", ...names.map((each, i) => `${each}: ${i}`)];
      const dropped = ["connection", "x-hop", "te", "upgrade", "cookie", "x-drop"];
      const expected = lines.filter((line) => !dropped.includes(line.split(":")[0]!.toLowerCase()));
      expect(forwarded(drop, ...lines)).toEqual(["Host: a", ...expected]);
    }),
    { seed: 11, numRuns: 500 },
  );
});
