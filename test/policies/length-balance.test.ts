/** length_balance by its documented formula: history of bytes and requests, decayed, ties at random. */
import { describe, expect, it } from "vitest";
import { lengthBalance } from "../../src/policies/length-balance.ts";
import type { ValuesOf } from "../../src/policies/shared/options.ts";
import type { PoolView } from "../../src/policies/shared/policy.ts";
import { seededRandom } from "../../src/simulated-engine/model/prng.ts";
import { among, countPicks, poolOf, request } from "./pool-view.ts";

type Options = ValuesOf<typeof lengthBalance.options>;

const defaults: Options = {
  mergeThreshold: 32,
  requestLengthWeight: 1,
  decayFactor: 2,
};

function balancer(weights: readonly number[], options: Partial<Options> = {}) {
  const pool = poolOf(weights);
  const policy = lengthBalance.create(
    { pool, random: seededRandom(4) },
    { ...defaults, ...options },
  );
  const assign = (bytes: number, fit?: number[]) => {
    const one = request({ bytes });
    const engine = policy.pick(among(pool, fit), one);
    pool.board.take(pool.slots[engine]!, bytes, 0);
    policy.assigned!(engine, one);
    return engine;
  };
  return { pool, policy, assign };
}

const bytesOf = (pool: PoolView) =>
  Array.from(pool.slots, (slot) => pool.board.history.bytes(slot));

it("chooses among equals uniformly at random, not the first", () => {
  const { pool, policy } = balancer([1, 1, 1, 1]);
  const picks = Array.from({ length: 8_000 }, () =>
    policy.pick(among(pool, [0, 1, 3]), request({ bytes: 5 })),
  );
  const counts = countPicks(4, picks);
  expect(counts[2]).toBe(0);
  for (const engine of [0, 1, 3]) expect(Math.abs(counts[engine]! - 8_000 / 3)).toBeLessThan(150);
});

it("lets bytes outweigh requests, by the documented score", () => {
  const { assign } = balancer([1, 1]);
  const first = assign(1_000);
  const other = 1 - first;
  // 1 request and 1000 bytes there: requests of 10 bytes come here until they weigh as much.
  for (let n = 0; n < 25; n += 1) expect(assign(10)).toBe(other);
});

it("counts requests alone when the length weighs nothing", () => {
  const { assign } = balancer([1, 1], { requestLengthWeight: 0, mergeThreshold: 1_000 });
  for (let n = 0; n < 50; n += 1) {
    const first = assign(n % 2 === 0 ? 1_000_000 : 1);
    expect(assign(1)).toBe(1 - first);
  }
});

describe("the weight of the length", () => {
  it("decides between many small requests and one large", () => {
    for (const [requestLengthWeight, wanted] of [
      [0.001, 0],
      [1, 1],
    ] as const) {
      const { pool, policy } = balancer([1, 1], { requestLengthWeight });
      // Engine 0: 1 request of 1000 bytes. Engine 1: 5 requests of 10 bytes.
      pool.board.take(pool.slots[0]!, 1_000, 0);
      for (let n = 0; n < 5; n += 1) pool.board.take(pool.slots[1]!, 10, 0);
      expect(policy.pick(among(pool), request({ bytes: 10 }))).toBe(wanted);
    }
  });
});

it("counts the request itself, so that an engine's weight matters for it", () => {
  const { pool, policy } = balancer([1, 4]);
  // Equal loads per weight but for the request: (100 + 800) / 1 against (400 + 800) / 4.
  pool.board.take(pool.slots[0]!, 99, 0);
  pool.board.take(pool.slots[1]!, 399, 0);
  for (let n = 0; n < 20; n += 1) {
    expect(policy.pick(among(pool), request({ bytes: 800 }))).toBe(1);
  }
});

it("merges at the threshold: all engines decay, the recent is added whole", () => {
  const { pool, assign } = balancer([1, 1], { mergeThreshold: 4, decayFactor: 2 });
  assign(1_001, [0]);
  for (let n = 0; n < 3; n += 1) assign(10, [1]);
  // The first merge makes the recent the total; only later ones decay it.
  expect(bytesOf(pool)).toEqual([1_001, 30]);
  for (let n = 0; n < 4; n += 1) assign(10, [1]);
  expect(bytesOf(pool)).toEqual([500, 55]);
  for (let n = 0; n < 3; n += 1) assign(10, [1]);
  expect(bytesOf(pool)).toEqual([500, 85]);
  assign(10, [1]);
  expect(bytesOf(pool)).toEqual([250, 67]);
});

it("remembers without decay where the factor is 1", () => {
  const { pool, assign } = balancer([1, 1], { mergeThreshold: 1, decayFactor: 1 });
  for (let n = 0; n < 50; n += 1) assign(2, [0]);
  expect(bytesOf(pool)).toEqual([100, 0]);
});

it("does not decay an engine twice that stands in the pool twice", () => {
  const pool = poolOf([1, 1, 1]);
  const doubled: PoolView = { ...pool, slots: Int32Array.of(1, 2, 1) };
  const policy = lengthBalance.create(
    { pool: doubled, random: () => 0 },
    { ...defaults, mergeThreshold: 1 },
  );
  pool.board.take(1, 64, 0);
  policy.assigned!(0, request());
  policy.assigned!(0, request());
  expect(pool.board.history.bytes(1)).toBe(32);
});
