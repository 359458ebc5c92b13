/** weighted_least_active: requests first, tokens among equals, chance among those. */
import { expect, it } from "vitest";
import { example } from "./worked-example.ts";

const policy = { name: "weighted_least_active" } as const;

it("prefers fewer requests, however long they are", () => {
  expect(example(policy, [[1, 1], [1_000_000]]).pick()).toBe(1);
});

it("prefers fewer tokens among as many requests", () => {
  const load = [
    [500, 500],
    [10, 900],
  ];
  expect(example(policy, load).pick()).toBe(1);
});

it("spreads over all that are equal, not over the first", () => {
  const picks = example(policy, [[5], [7, 7], [5], [5]]).picks(300);
  for (const engine of [0, 2, 3]) {
    const count = picks.filter((pick) => pick === engine).length;
    expect(Math.abs(count - 100)).toBeLessThan(40);
  }
});

it("counts both per weight", () => {
  expect(example(policy, [[5], [9, 9, 9]], [1, 4]).pick()).toBe(1);
});
