/** least_total_load: S (⌈R / B⌉ + 1) / 2. */
import { expect, it } from "vitest";
import { totalLoad } from "../../src/policies/least-total-load.ts";
import { poolOf } from "./pool-view.ts";
import { example } from "./worked-example.ts";

it("is the formula's figure, by hand", () => {
  const pool = poolOf([1, 2]);
  for (let n = 0; n < 17; n += 1) pool.board.take(pool.slots[0]!, 10, 0);
  for (let n = 0; n < 17; n += 1) pool.board.take(pool.slots[1]!, 10, 0);
  // 170 × (⌈17 / 16⌉ + 1) / 2, and as two engines of half of it: 85 × (1 + 1) / 2.
  expect(totalLoad(pool, 0, 16)).toBe(255);
  expect(totalLoad(pool, 1, 16)).toBe(85);
});

it("prefers fewer bytes within a batch, and fewer rounds before them", () => {
  // 40 × 1 against 45 × 1; with batches of 2: 40 × 1.5 against 45 × 1.
  const load = [[10, 10, 10, 10], [45]];
  expect(example({ name: "least_total_load" }, load).pick()).toBe(0);
  expect(example({ name: "least_total_load", batchSize: 2 }, load).pick()).toBe(1);
});

it("draws among equals, as where all are idle", () => {
  const picks = example({ name: "least_total_load" }, [[], [], []]).picks(300);
  for (const engine of [0, 1, 2]) {
    expect(Math.abs(picks.filter((pick) => pick === engine).length - 100)).toBeLessThan(40);
  }
});
