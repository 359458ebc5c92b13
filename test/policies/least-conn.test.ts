/** Fewest in flight for its weight, by what is in flight now: of the whole proxy, not of this worker alone. */
import { expect, it } from "vitest";
import { leastConn } from "../../src/policies/least-conn.ts";
import { random } from "../../src/policies/random.ts";
import { seededRandom } from "../../src/simulated-engine/model/prng.ts";
import { among, countPicks, poolOf, request } from "./pool-view.ts";

it("follows the load down as well as up", () => {
  const pool = poolOf([1, 1, 1]);
  const policy = leastConn.create({ pool, random: () => 0 }, {});
  const load = (engine: number, requests: number) => {
    for (let n = 0; n < requests; n += 1) pool.board.take(pool.slots[engine]!, 1, 0);
  };
  load(0, 2);
  load(1, 1);
  load(2, 3);
  expect(policy.pick(among(pool), request())).toBe(1);
  expect(policy.pick(among(pool, [0, 2]), request())).toBe(0);
  for (let n = 0; n < 3; n += 1) pool.board.giveBack(pool.slots[2]!, 1);
  expect(policy.pick(among(pool), request())).toBe(2);
});

it("counts by weight: six at a weight of three are as two at a weight of one", () => {
  const pool = poolOf([3, 1]);
  const policy = leastConn.create({ pool, random: () => 0 }, {});
  for (let n = 0; n < 6; n += 1) pool.board.take(pool.slots[0]!, 1, 0);
  pool.board.take(pool.slots[1]!, 1, 0);
  expect(policy.pick(among(pool), request())).toBe(1);
  pool.board.take(pool.slots[1]!, 1, 0);
  // Equal now: in turn, by weight.
  const picks = Array.from({ length: 8 }, () => policy.pick(among(pool), request()));
  expect(countPicks(2, picks)).toEqual([6, 2]);
});

it("takes turns among those that are equally idle", () => {
  const pool = poolOf([1, 1, 1]);
  const policy = leastConn.create({ pool, random: () => 0 }, {});
  const picks = Array.from({ length: 6 }, () => policy.pick(among(pool), request()));
  expect(picks).toEqual([0, 1, 2, 0, 1, 2]);
});

it("random two takes the less loaded of two different engines", () => {
  const pool = poolOf([1, 1]);
  const policy = random.create({ pool, random: seededRandom(3) }, { two: true });
  pool.board.take(pool.slots[1]!, 1, 0);
  for (let n = 0; n < 50; n += 1) expect(policy.pick(among(pool), request())).toBe(0);
  const three = poolOf([1, 1, 1]);
  const among3 = random.create({ pool: three, random: seededRandom(3) }, { two: true });
  three.board.take(three.slots[0]!, 1, 0);
  // The most loaded of three is never the better of two.
  for (let n = 0; n < 50; n += 1) expect(among3.pick(among(three), request())).not.toBe(0);
});
