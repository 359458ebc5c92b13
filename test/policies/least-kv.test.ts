/**
 * Decode engines differ in what their answers have grown to, and in what others have there: that is room which prompts
 * cannot have.
 */
import { expect, it } from "vitest";
import { createPolicy } from "../../src/policies/create-policy.ts";
import { among, poolOf, request } from "./pool-view.ts";

const options = { name: "least_kv", kvTokens: 100_000, requestTokens: 1_000 } as const;

function leastOf(pool: ReturnType<typeof poolOf>): number {
  const policy = createPolicy(options, { pool, random: () => 0 });
  return policy.pick(among(pool), request());
}

it("an engine whose responses have grown long has less room than one with the longer prompt", () => {
  const pool = poolOf([1, 1]);
  const [first, second] = [pool.slots[0]!, pool.slots[1]!];
  pool.board.take(first, 4_000, 0, 4_000, 1_000);
  pool.board.take(second, 8_000, 0, 8_000, 2_000);
  expect(leastOf(pool)).toBe(0);
  pool.board.addResponseTokens(first, 1_500);
  expect(leastOf(pool)).toBe(1);
});

it("of engines with as many tokens, the one with fewer requests; and each by its weight", () => {
  const pool = poolOf([1, 1]);
  pool.board.take(pool.slots[0]!, 1, 0, 1, 500);
  pool.board.take(pool.slots[0]!, 1, 0, 1, 500);
  pool.board.take(pool.slots[1]!, 1, 0, 1, 1_000);
  expect(leastOf(pool)).toBe(1);
  const weighted = poolOf([4, 1]);
  weighted.board.take(weighted.slots[0]!, 1, 0, 1, 3_000);
  weighted.board.take(weighted.slots[1]!, 1, 0, 1, 1_000);
  expect(leastOf(weighted)).toBe(0);
});

it("where engines tell, their word counts, and what was sent there since", () => {
  const pool = poolOf([1, 1]);
  const [first, second] = [pool.slots[0]!, pool.slots[1]!];
  pool.board.signals.set(first, 0, 0.02);
  pool.board.signals.set(second, 0, 0.04);
  expect(leastOf(pool)).toBe(0);
  pool.board.take(first, 1, 0, 1, 3_000);
  expect(leastOf(pool)).toBe(1);
  pool.board.signals.set(first, 0, 0.05);
  pool.board.signals.set(second, 9, 0.04);
  expect(leastOf(pool)).toBe(0);
});
