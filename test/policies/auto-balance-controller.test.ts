/** auto_balance_controller: bytes while a batch has room, requests when none has. */
import { expect, it } from "vitest";
import { example } from "./worked-example.ts";

const policy = { name: "auto_balance_controller", batchSize: 2 } as const;

it("takes the fewest bytes of those whose batch has room", () => {
  // Engine 1 has the fewest bytes, but its batch is full.
  expect(example(policy, [[50], [1, 1], [40]]).pick()).toBe(2);
});

const full = [
  [1, 1, 1],
  [90, 90],
  [1, 1, 1],
];

it("takes the fewest requests where no batch has room", () => {
  expect(example(policy, full).pick()).toBe(1);
});

it("sees only candidates: room elsewhere is none", () => {
  expect(example(policy, [...full, []]).pick({}, [0, 1])).toBe(1);
});

it("takes an engine of weight w for w batches", () => {
  expect(example(policy, [[9], [1, 1, 1]], [1, 2]).pick()).toBe(1);
});
