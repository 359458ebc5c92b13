/** prefill_score_balance: least growth of the sum of response times, T + c (A + 1). */
import { expect, it } from "vitest";
import { example } from "./worked-example.ts";

/** c = 100 ms + 1 ms a token of 4 bytes. */
const plain = { name: "prefill_score_balance", tokenMs: 1, requestMs: 100 } as const;

it("weighs one long prompt against two short ones by what the new one bears and adds", () => {
  // Engine 0: T = 100 + 1,000, A = 1. Engine 1: T = 2 × (100 + 100), A = 2.
  const load = [[4_000], [400, 400]];
  // c = 200: 1,100 + 400 against 400 + 600.
  expect(example(plain, load).pick({ bytes: 400 })).toBe(1);
  // c = 1,100: 1,100 + 2,200 against 400 + 3,300.
  expect(example(plain, load).pick({ bytes: 4_000 })).toBe(0);
});

it("has the original's constants", () => {
  // T = 120.0745 + 0.0345 × 1,000 = 154.5745 for one of 4,000 bytes; two of 4 bytes: 2 × 120.109.
  const load = [[4_000], [4, 4]];
  // Of a short one c = 120.109: 394.79 against 600.5.
  expect(example({ name: "prefill_score_balance" }, load).pick({ bytes: 4 })).toBe(0);
});

it("forgets what has ended", () => {
  const { place, picks } = example(plain, [[], []]);
  const { engine, lease } = place({ bytes: 100_000 });
  expect(new Set(picks(20))).toEqual(new Set([1 - engine]));
  lease.close();
  expect(new Set(picks(50))).toEqual(new Set([0, 1]));
});

it("takes an engine of twice the weight for twice as fast", () => {
  // (200 + 2 × 200) / 1 against (400 + 3 × 200) / 2.
  expect(example(plain, [[400], [400, 400]], [1, 2]).pick({ bytes: 400 })).toBe(1);
});
