import { expect, test } from "vitest";
import { checkedPairsMax } from "../../src/check/limits.ts";
import { choosePairs } from "../../src/check/pairs.ts";

const names = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`);

test.each([
  [1, 1],
  [1, 2],
  [2, 2],
  [4, 4],
  [3, 40],
  [40, 3],
  [50, 64],
  [6, 4],
])("%i × %i: no engine is left out, no pair comes twice, and there are not too many", (p, d) => {
  const [prefills, decodes] = [names("p", p), names("d", d)];
  const pairs = choosePairs(prefills, decodes);
  expect(new Set(pairs.map((pair) => pair.join()))).toHaveProperty("size", pairs.length);
  expect(new Set(pairs.map(([prefill]) => prefill))).toEqual(new Set(prefills));
  expect(new Set(pairs.map(([, decode]) => decode))).toEqual(new Set(decodes));
  expect(pairs.length).toBeLessThanOrEqual(Math.max(checkedPairsMax, p, d));
  if (p * d <= checkedPairsMax) expect(pairs.length).toBe(p * d);
});

test("without an engine of one kind there is no pair", () => {
  expect(choosePairs([], ["d"])).toEqual([]);
  expect(choosePairs(["p"], [])).toEqual([]);
});
