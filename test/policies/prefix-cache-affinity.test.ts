/** prefix_cache_affinity: the longest known beginning while loads are even, the total load otherwise. */
import { expect, it } from "vitest";
import { example } from "./worked-example.ts";

const policy = { name: "prefix_cache_affinity" } as const;

it("goes back to where the longest part was, though others are idle", () => {
  const { place, pick } = example(policy, [[], [], []]);
  place({ blocks: [1, 2] }, 0);
  place({ blocks: [1, 2, 3, 4] }, 2);
  expect(pick({ blocks: [1, 2, 3, 9] })).toBe(2);
  expect(pick({ blocks: [1, 2, 3, 9] }, [0, 1])).toBe(0);
});

it("takes the least loaded of several that hold as much", () => {
  const { place, pick } = example(policy, [[], [], []]);
  place({ blocks: [1, 2], bytes: 900 }, 0);
  place({ blocks: [1, 2, 3], bytes: 100 }, 1);
  expect(pick({ blocks: [1, 2, 7] })).toBe(1);
});

it("goes by load alone where nobody has any of it, or it has no blocks", () => {
  const { place, pick } = example(policy, [[500], [400], [10]]);
  place({ blocks: [1], bytes: 1_000 }, 0);
  expect(pick({ blocks: [5] })).toBe(2);
  expect(pick({ blocks: [] })).toBe(2);
});

it("gives up affinity when engines differ by more than 15 requests", () => {
  const many = (count: number) => new Array<number>(count).fill(1);
  const even = example(policy, [many(14), []]);
  even.place({ blocks: [1] }, 0);
  expect(even.pick({ blocks: [1] })).toBe(0);
  const uneven = example(policy, [many(15), []]);
  uneven.place({ blocks: [1] }, 0);
  expect(uneven.pick({ blocks: [1] })).toBe(1);
});
