/** Clients that cost work without asking for anything, and those that only ask for much. */
import { expect, test } from "vitest";
import {
  http2IdleBytesMax,
  http2ResetsMax,
  http2ResetsPerS,
} from "../../../../src/http2/limits.ts";
import { FloodCheck } from "../../../../src/proxy/client/http2/flood-check.ts";

test("frames that are no requests are a flood once they are much more than the rest", () => {
  const check = new FloodCheck(() => 0);
  expect(check.isFlood(8 * http2IdleBytesMax)).toBe(false);
  check.received(10);
  check.asked([":path", "/v1"]);
  expect(check.isFlood(8 * 18)).toBe(false);
  expect(check.isFlood(1)).toBe(true);
});

test("a large body is none", () => {
  const check = new FloodCheck(() => 0);
  for (let i = 0; i < 1_000; i += 1) {
    expect(check.isFlood(1_000_000)).toBe(false);
    check.received(999_000);
  }
});

test("streams may be taken back at a rate, and some at once", () => {
  let nowMs = 0;
  const check = new FloodCheck(() => nowMs);
  for (let i = 0; i < http2ResetsMax; i += 1) expect(check.isResetTooOften()).toBe(false);
  expect(check.isResetTooOften()).toBe(true);
  nowMs += 2_000;
  for (let i = 1; i < 2 * http2ResetsPerS; i += 1) expect(check.isResetTooOften()).toBe(false);
  expect([check.isResetTooOften(), check.isResetTooOften()]).toContain(true);
});
