// Requests that two parsers could read differently are refused with a stable code, and ordinary ones are not.

import { describe, expect, it } from "vitest";
import { readRequest } from "./messages.ts";
import { ACCEPTED } from "./vectors/accepted.ts";
import { REFUSED } from "./vectors/refused.ts";

describe("refuses a request with", () => {
  it.each(REFUSED)("$hazard", ({ text, status, code }) => {
    expect(readRequest(text)).toMatchObject({ kind: "problem", problem: { status, code } });
  });
});

describe("accepts a request with", () => {
  it.each(ACCEPTED)("$what", ({ text }) => {
    const reading = readRequest(text);
    expect(reading).toMatchObject({ kind: "message" });
  });
});

it("has each vector once", () => {
  const texts = [...REFUSED, ...ACCEPTED].map((vector) => vector.text);
  expect(new Set(texts).size).toBe(texts.length);
});
