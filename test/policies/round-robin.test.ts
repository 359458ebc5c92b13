/** Turns are nginx's, in the same order. */
import { expect, it } from "vitest";
import { roundRobin } from "../../src/policies/round-robin.ts";
import { among, poolOf, request } from "./pool-view.ts";

const deps = (weights: readonly number[]) => ({ pool: poolOf(weights), random: () => 0 });

it("gives nginx's published sequence for the weights 5, 1, 1", () => {
  const of = deps([5, 1, 1]);
  const policy = roundRobin.create(of, {});
  const picks = Array.from({ length: 14 }, () => policy.pick(among(of.pool), request()));
  expect(picks).toEqual([0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0, 0]);
});

it("gives an engine that failed its full share back step by step, as nginx does", () => {
  const of = deps([4, 4]);
  const policy = roundRobin.create(of, {});
  policy.failed?.(0, 1);
  const picks = Array.from({ length: 12 }, () => policy.pick(among(of.pool), request()));
  // nginx: current += effective, then effective + 1 up to the weight.
  expect(picks.slice(0, 4).filter((engine) => engine === 0)).toHaveLength(1);
  expect(picks.slice(4).filter((engine) => engine === 0)).toHaveLength(4);
});

it("goes on in turn when an engine comes back, without making up for its absence", () => {
  const of = deps([1, 1, 1]);
  const policy = roundRobin.create(of, {});
  const pick = (fit: number[]) => policy.pick(among(of.pool, fit), request());
  expect([pick([0, 1, 2]), pick([0, 1, 2]), pick([0, 1, 2])]).toEqual([0, 1, 2]);
  for (let n = 0; n < 10; n += 1) expect(pick([0, 1])).toBe(n % 2);
  const after = [0, 1, 2, 3, 4, 5].map(() => pick([0, 1, 2]));
  expect(after.toSorted()).toEqual([0, 0, 1, 1, 2, 2]);
});
