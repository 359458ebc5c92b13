/** What a pool relies on in every policy, with each alternative of each of its options. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { policySchema } from "../../src/config/schema/pool/policies.ts";
import { createPolicy } from "../../src/policies/create-policy.ts";
import { policies } from "../../src/policies/registry.ts";
import { weightsOf } from "../../src/policies/shared/define-policy.ts";
import type { OptionShape } from "../../src/policies/shared/options.ts";
import type { PickRequest, Policy, PoolView } from "../../src/policies/shared/policy.ts";
import { seededRandom } from "../../src/simulated-engine/model/prng.ts";
import { isEverything } from "../support/runtimes.ts";
import { among, countPicks, poolOf, request } from "./pool-view.ts";
import { variantsOf } from "./variants.ts";

const cases = policies.flatMap((definition) =>
  variantsOf(definition).map((options) => {
    const config = policySchema.parse({ name: definition.name, ...options });
    const use = weightsOf<OptionShape>(definition, { ...config });
    return [`${definition.name} ${JSON.stringify(options)}`, config, use] as const;
  }),
);

it("names are in snake_case, and none stands in the registry twice", () => {
  const names = policies.map(({ name }) => name);
  expect(names.filter((name) => !/^[a-z][a-z0-9_]*$/.test(name))).toEqual([]);
  expect(new Set(names).size).toBe(names.length);
});

const weights = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 });
const anyRequest: fc.Arbitrary<PickRequest> = fc.record({
  tokens: fc.nat(2 ** 20),
  blocks: fc.array(fc.nat(40), { maxLength: 20 }),
  bytes: fc.oneof(fc.constant(0), fc.nat(2 ** 31), fc.constant(2 ** 40)),
  clientAddress: fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.constantFrom("", "unix:", "::ffff:10.1.2.3", "fe80::1%eth0", "?"),
  ),
  key: fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.constant("")),
  clock: fc.constant({ wallMs: () => 1_000 }),
});
/** A request, and a number that chooses a set of fit engines. */
const turns = fc.array(fc.tuple(anyRequest, fc.nat()), { minLength: 1, maxLength: 40 });

function subset(size: number, chooser: number): number[] {
  const chosen = Array.from({ length: size }, (_, i) => i).filter((i) => (chooser >> i) & 1);
  return chosen.length > 0 ? chosen : [chooser % size];
}

/**
 * As a pool does it: pick, take the place, tell the policy; and give the place back, where the request is done. Checks
 * each pick itself: there are two million, and `expect` takes longer than a policy.
 */
function assign(
  policy: Policy,
  pool: PoolView,
  fit: readonly number[],
  one: PickRequest,
  isDone = false,
): number {
  const scores = policy.score && fit.map((number) => policy.score!(number, one));
  const engine = policy.pick(among(pool, fit), one);
  if (!fit.includes(engine)) throw new Error(`picked ${engine}, which is none of ${fit}`);
  // Told as the reason of the choice: no other candidate has less.
  // But for the last digits, of which the order of operations decides.
  if (scores) {
    const least = Math.min(...scores);
    const isLeast = scores[fit.indexOf(engine)]! - least <= 1e-9 * Math.abs(least);
    if (!isLeast) throw new Error(`picked ${engine} of ${fit}, whose scores are ${scores}`);
  }
  const uncached = policy.uncachedBytes?.(engine, one) ?? one.bytes;
  if (!Number.isInteger(uncached) || uncached < 0 || uncached > one.bytes)
    throw new Error(`${uncached} uncached bytes of ${one.bytes}`);
  const tokens = Math.ceil(one.tokens);
  pool.board.take(pool.slots[engine]!, one.bytes, 0, uncached, tokens);
  policy.assigned?.(engine, one);
  if (isDone) pool.board.giveBack(pool.slots[engine]!, one.bytes, uncached, tokens);
  return engine;
}

describe.each(cases)("policy %s", (_, config, weightUse) => {
  it("picks candidates only, whatever was picked, loaded or unfit before", () => {
    fc.assert(
      fc.property(weights, turns, fc.integer(), (of, run, seed) => {
        const pool = poolOf(of);
        const policy = createPolicy(config, { pool, random: seededRandom(seed) });
        for (const [one, chooser] of run) {
          const fit = subset(pool.size, chooser);
          assign(policy, pool, fit, one, chooser % 3 === 0);
        }
      }),
      { seed: 2, numRuns: isEverything ? 80 : 40 },
    );
  });

  it("takes the only candidate, in a pool of one and where all others are unfit", () => {
    for (const size of [1, 5]) {
      const pool = poolOf(new Array<number>(size).fill(3));
      const policy = createPolicy(config, { pool, random: seededRandom(1) });
      for (let requiredEngine = 0; requiredEngine < size; requiredEngine += 1) {
        for (let n = 0; n < 40; n += 1) {
          assign(policy, pool, [requiredEngine], request({ key: `${n}` }));
        }
      }
    }
  });

  it("finds the last candidates of a large pool", () => {
    const pool = poolOf(new Array<number>(64).fill(1));
    const policy = createPolicy(config, { pool, random: seededRandom(1) });
    for (let n = 0; n < 60; n += 1) {
      const fit = [n % 31, 63];
      const client = `10.0.${n}.1`;
      assign(policy, pool, fit, request({ key: `${n}`, clientAddress: client }));
    }
  });

  it("leaves the candidates as they were", () => {
    const pool = poolOf([1, 2, 3]);
    const policy = createPolicy(config, { pool, random: seededRandom(1) });
    const candidates = among(pool, [0, 2]);
    for (let n = 0; n < 20; n += 1) policy.pick(candidates, request({ key: `${n}` }));
    expect([candidates.count, ...candidates.engines]).toEqual([2, 0, 2, 0]);
  });

  it("decides the same again by the same chance and the same load", () => {
    fc.assert(
      fc.property(weights, turns, fc.integer(), (of, run, seed) => {
        const picks = [1, 2].map(() => {
          const pool = poolOf(of);
          const policy = createPolicy(config, { pool, random: seededRandom(seed) });
          return run.map(([one, chooser]) => assign(policy, pool, subset(pool.size, chooser), one));
        });
        expect(picks[0]).toEqual(picks[1]);
      }),
      { seed: 3, numRuns: isEverything ? 30 : 15 },
    );
  });

  it("is right at both ends of chance", () => {
    for (const chance of [0, 1 - 2 ** -53]) {
      const pool = poolOf([1, 100, 1]);
      const policy = createPolicy(config, { pool, random: () => chance });
      for (let n = 0; n < 50; n += 1) {
        const engine = policy.pick(among(pool, [0, 2]), request({ key: `${n}` }));
        expect([0, 2]).toContain(engine);
      }
    }
  });

  it.runIf(weightUse !== "none")("gives each engine its weight's share", () => {
    const of = [5, 1, 2];
    const pool = poolOf(of);
    const policy = createPolicy(config, { pool, random: seededRandom(7) });
    const total = 8_000;
    const random = seededRandom(8);
    const picks = Array.from({ length: total }, (_, n) => {
      const client = `${1 + Math.floor(random() * 220)}.${Math.floor(random() * 256)}.${n % 256}.9`;
      return assign(policy, pool, [0, 1, 2], request({ key: `key ${n}`, clientAddress: client }));
    });
    const counts = countPicks(3, picks);
    // A ring of 160 points per weight is uneven by some percent; all others are closer.
    const slack = weightUse === "rough" ? 0.2 : 0.08;
    for (const [engine, count] of counts.entries()) {
      const share = (total * of[engine]!) / 8;
      expect(Math.abs(count - share) / share, `${counts}`).toBeLessThan(slack);
    }
  });
});
