// Two spellings of one path choose the same location, and none leads above the root.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { normalizePath } from "../../../src/http1/head/normalize-path.ts";

it.each([
  ["/", "/"],
  ["/v1/chat/completions", "/v1/chat/completions"],
  ["*", "*"],
  ["//", "/"],
  ["//a///b//", "/a/b/"],
  ["/a/./b", "/a/b"],
  ["/a/../b", "/b"],
  ["/a/b/../../c", "/c"],
  ["/a/.", "/a/"],
  ["/a/..", "/"],
  ["/a/b/..", "/a/"],
  ["/.", "/"],
  ["/./", "/"],
  ["/a/...", "/a/..."],
  ["/a/.b", "/a/.b"],
  ["/.well-known/x", "/.well-known/x"],
  ["/a..b/c.", "/a..b/c."],
  ["/a//../b", "/b"],
  ["/%61", "/a"],
  ["/a%2Fb", "/a/b"],
  ["/a/%2e%2E/b", "/b"],
  ["/a%2f..%2fb", "/b"],
  ["/a%2f%2fb", "/a/b"],
  ["/%252e%252e/a", "/%2e%2e/a"],
  ["/a%20b", "/a b"],
  ["/a%3Fb%23c%25", "/a?b#c%"],
  ["/%c3%a9", "/\u00e9"],
  ["/%f0%9f%98%80", "/\u{1f600}"],
])("%s is %s", (path, normal) => {
  expect(normalizePath(path)).toBe(normal);
});

describe("refuses", () => {
  it.each([
    "",
    "a",
    "/..",
    "/../a",
    "/a/../..",
    "/a/../../b",
    "//..",
    "/%2e%2e",
    "/..%2f",
    "/%",
    "/%4",
    "/%4g",
    "/%%41",
    "/% 41",
    "/%+4",
    "/%00",
    "/%0a",
    "/%7f",
    "/%ff",
    "/%c3",
    "/%c0%af",
    "/%c0%ae%c0%ae/",
    "/%ed%a0%80",
  ])("%j", (path) => {
    expect(normalizePath(path)).toBeUndefined();
  });
});

it("returns the very string when there is nothing to do", () => {
  const path = "/v1/chat/completions";
  expect(normalizePath(path)).toBe(path);
});

it("changes nothing in what it has made of ASCII without a literal percent sign", () => {
  const piece = fc.constantFrom("/", ".", "..", "a", "%2e", "%2F", "%41", "b.");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const normal = normalizePath(`/${pieces.join("")}`);
      if (normal === undefined) return;
      expect(normal).toMatch(/^\/(?!.*\/\/)(?!.*\/\.{1,2}(\/|$))/);
      expect(normalizePath(normal)).toBe(normal);
    }),
    { seed: 5, numRuns: 2_000 },
  );
});
