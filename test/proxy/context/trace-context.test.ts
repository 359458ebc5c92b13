/** What a client says of its trace is taken as it is, or not at all: nothing of it can forge a header line. */
import { expect, it } from "vitest";
import { parseTraceParent, parseTraceState } from "../../../src/proxy/context/trace-context.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const parentId = "00f067aa0ba902b7";

it.each([
  [`00-${traceId}-${parentId}-01`, true],
  [`00-${traceId}-${parentId}-00`, false],
  [`00-${traceId}-${parentId}-03`, true],
  [`cc-${traceId}-${parentId}-01-what-will-be`, true],
])("%s is valid", (value, isSampled) => {
  expect(parseTraceParent(value)).toEqual({ traceId, parentId, isSampled });
});

it.each([
  undefined,
  "",
  `00-${traceId}-${parentId}`,
  `00-${traceId}-${parentId}-01-more`,
  `ff-${traceId}-${parentId}-01`,
  `00-${"0".repeat(32)}-${parentId}-01`,
  `00-${traceId}-${"0".repeat(16)}-01`,
  `00-${traceId.toUpperCase()}-${parentId}-01`,
  `00-${traceId}-${parentId}-0x`,
  `00-${traceId}-${parentId}-01, 00-${traceId}-${parentId}-01`,
])("%s is not", (value) => {
  expect(parseTraceParent(value)).toBeUndefined();
});

it("a state passes with its valid entries, or is dropped as a whole", () => {
  expect(parseTraceState("a=1, b@c=2 3,")).toBe("a=1,b@c=2 3");
  const tooMany = Array.from({ length: 33 }, (_, i) => `k${i}=1`).join(",");
  const wrong = [undefined, "A=1", "a", "a=", "a=\r\nX: 1", "a=\xff", "a=1=2", tooMany];
  for (const value of wrong) expect(parseTraceState(value)).toBe("");
  expect(parseTraceState(`a=${"x".repeat(600)}`)).toBe("");
});
