/** A policy that is named after another project's must decide as that project says, or comparing them means nothing. */
import { describe, expect, it } from "vitest";
import { policySchema } from "../../src/config/schema/pool/policies.ts";
import { createPolicy } from "../../src/policies/create-policy.ts";
import type { PickRequest, Policy, PoolView } from "../../src/policies/shared/policy.ts";
import { among, countPicks, poolOf, request } from "./pool-view.ts";

function setUp(name: string, options: object, chance: () => number = () => 0.5) {
  const pool = poolOf([1, 1, 1]);
  const policy = createPolicy(policySchema.parse({ name, ...options }), { pool, random: chance });
  return { pool, policy };
}

/** Puts requests in flight. @param uncached of these bytes */
function load(pool: PoolView, engine: number, bytes: number, uncached = bytes): void {
  pool.board.take(pool.slots[engine]!, bytes, 0, uncached);
}

const blocks = (count: number, name = 1) => Array.from({ length: count }, (_, i) => name * 100 + i);
const prompt = (count: number, name = 1): PickRequest =>
  request({ bytes: count * 2_000, tokens: count * 500, blocks: blocks(count, name) });
const pick = (policy: Policy, pool: PoolView, one: PickRequest) => policy.pick(among(pool), one);

describe("power_of_two", () => {
  /** The two draws of one pick, out of three: 0.4 → the second; then the next but one after it, the first. */
  const draws = () => {
    let n = 0;
    return () => [0.4, 0.9][n++ % 2]!;
  };

  it("takes the one of its two draws that has less, the first drawn among equals", () => {
    const { pool, policy } = setUp("power_of_two", {}, draws());
    expect(pick(policy, pool, request())).toBe(1);
    load(pool, 1, 10);
    expect(pick(policy, pool, request())).toBe(0);
    load(pool, 0, 20);
    expect(pick(policy, pool, request())).toBe(1);
  });

  it("goes by bytes, or by requests", () => {
    for (const [by, wanted] of [
      ["bytes", 0],
      ["requests", 1],
    ] as const) {
      const { pool, policy } = setUp("power_of_two", { by }, draws());
      load(pool, 1, 1_000);
      for (let n = 0; n < 2; n += 1) load(pool, 0, 10);
      expect(pick(policy, pool, request())).toBe(wanted);
    }
  });
});

describe("session_affinity", () => {
  it("keeps a session's engine until that has more than its share, then the next of the ring", () => {
    const { pool, policy } = setUp("session_affinity", { maxLoadSkew: 1.5 });
    const home = pick(policy, pool, request({ key: "s" }));
    load(pool, 0, 1);
    load(pool, 1, 1);
    load(pool, 2, 1);
    expect(pick(policy, pool, request({ key: "s" }))).toBe(home);
    // 2 of 4: 2 ≤ 1.5 × 4 / 3. 3 of 5: 3 > 1.5 × 5 / 3.
    load(pool, home, 1);
    expect(pick(policy, pool, request({ key: "s" }))).toBe(home);
    load(pool, home, 1);
    const next = pick(policy, pool, request({ key: "s" }));
    expect(next).not.toBe(home);
    expect(pick(policy, pool, request({ key: "s" }))).toBe(next);
  });

  it("stays whatever the load where no bound is set, and where all are above it", () => {
    const unbound = setUp("session_affinity", { maxLoadSkew: 0 });
    const tight = setUp("session_affinity", { maxLoadSkew: 0.5 });
    for (const { pool, policy } of [unbound, tight]) {
      const home = pick(policy, pool, request({ key: "s" }));
      for (const engine of [0, 1, 2]) load(pool, engine, 1);
      for (let n = 0; n < 9; n += 1) load(pool, home, 1);
      if (policy === tight.policy)
        for (let e = 0; e < 3; e += 1)
          if (e !== home) for (let n = 0; n < 9; n += 1) load(pool, e, 1);
      expect(pick(policy, pool, request({ key: "s" }))).toBe(home);
    }
  });

  it("stays at its engine while other workers send requests there during the choice", () => {
    const { pool, policy } = setUp("session_affinity", { maxLoadSkew: 100 });
    const home = pick(policy, pool, request({ key: "s" }));
    const inFlight = pool.board.inFlight.bind(pool.board);
    pool.board.inFlight = (slot) => {
      const seen = inFlight(slot);
      if (slot === pool.slots[home]) load(pool, home, 1);
      return seen;
    };
    expect(pick(policy, pool, request({ key: "s" }))).toBe(home);
  });

  it("spreads requests without a session by their number", () => {
    const { pool, policy } = setUp("session_affinity", {});
    const picks = Array.from({ length: 9 }, () => {
      const engine = pick(policy, pool, request({ key: "" }));
      load(pool, engine, 1);
      return engine;
    });
    expect(countPicks(3, picks)).toEqual([3, 3, 3]);
  });
});

describe("ascend_heap", () => {
  it("adds 120.0745 a prefill to 0.0345 a token of four bytes", () => {
    const { pool, policy } = setUp("ascend_heap", {});
    expect(pick(policy, pool, request())).toBe(0);
    // 10,000 bytes are 86.25 + 120.0745 = 206.3, two of 1,000 bytes 257.4, one of 20,000 292.6.
    load(pool, 0, 10_000);
    for (let n = 0; n < 2; n += 1) load(pool, 1, 1_000);
    load(pool, 2, 20_000);
    expect(pick(policy, pool, request())).toBe(0);
    load(pool, 0, 1);
    expect(pick(policy, pool, request())).toBe(1);
  });

  it("counts a decode's bytes alone", () => {
    const { pool, policy } = setUp("ascend_heap", { role: "decode" });
    load(pool, 0, 10_000);
    for (let n = 0; n < 9; n += 1) load(pool, 1, 1_000);
    load(pool, 2, 20_000);
    expect(pick(policy, pool, request())).toBe(1);
  });
});

describe("dynamo", () => {
  it("weighs the uncached part of the prompt against what is still to be computed", () => {
    const { pool, policy } = setUp("dynamo", {});
    policy.assigned!(0, prompt(4));
    // 10 blocks of 2,000 bytes, 4 of them at engine 0: 12,000 there, 20,000 elsewhere.
    expect(pick(policy, pool, prompt(10))).toBe(0);
    expect(policy.uncachedBytes!(0, prompt(10))).toBe(12_000);
    load(pool, 0, 7_000);
    expect(pick(policy, pool, prompt(10))).toBe(0);
    load(pool, 0, 2_000);
    expect(pick(policy, pool, prompt(10))).not.toBe(0);
    // What is in flight elsewhere and cached there costs nothing.
    load(pool, 1, 90_000, 500);
    load(pool, 2, 2_000);
    expect(pick(policy, pool, prompt(10))).toBe(1);
  });

  it("adds what engines hold where they decode, and only that for a decode pool", () => {
    const both = setUp("dynamo", { role: "both", overlapScoreWeight: 2 });
    const decode = setUp("dynamo", { role: "decode" });
    for (const { pool, policy } of [both, decode]) {
      policy.assigned!(0, prompt(10));
      load(pool, 0, 9_000, 0);
      load(pool, 2, 50_000, 0);
    }
    // Engine 0: 2 × 0 + 9,000; engine 1: 2 × 20,000 + 0; each and 20,000 of its own.
    expect(pick(both.policy, both.pool, prompt(10))).toBe(0);
    load(both.pool, 0, 32_000, 0);
    expect(pick(both.policy, both.pool, prompt(10))).toBe(1);
    expect(pick(decode.policy, decode.pool, prompt(10))).toBe(1);
  });

  it("draws by softmax over the costs' range: e^0, e^-0.5 and e^-1 at temperature 1", () => {
    let chance = 0;
    const { pool, policy } = setUp("dynamo", { temperature: 1 }, () => chance);
    load(pool, 1, 5_000);
    load(pool, 2, 10_000);
    const total = 1 + Math.exp(-0.5) + Math.exp(-1);
    const drawn = [
      0,
      0.99,
      1.01,
      1 + Math.exp(-0.5) - 0.01,
      1 + Math.exp(-0.5) + 0.01,
      total - 0.01,
    ].map((point) => {
      chance = point / total;
      return pick(policy, pool, prompt(1));
    });
    expect(drawn).toEqual([0, 0, 1, 1, 2, 2]);
  });
});

describe("llm_d", () => {
  it("sums 3 × cached share, 2 × place between the queues, 2 × free KV cache", () => {
    const { pool, policy } = setUp("llm_d", { kvTokens: 100_000 });
    policy.assigned!(0, prompt(6));
    // Six of ten blocks at engine 0: 1.8; its queue is the longest: 0 of 2; a token in use of 100,000 is next to
    // nothing.
    load(pool, 0, 4);
    expect(pick(policy, pool, prompt(10))).not.toBe(0);
    // Seven of ten are 2.1.
    policy.assigned!(0, prompt(7));
    expect(pick(policy, pool, prompt(10))).toBe(0);
    // 20,000 tokens in use: 2 × 0.8, so 2.1 + 1.6 < 4.
    load(pool, 0, 80_000);
    expect(pick(policy, pool, prompt(10))).not.toBe(0);
  });

  it("keeps a session where its weight says so, also without a prompt that is known", () => {
    const { pool, policy } = setUp("llm_d", { sessionWeight: 100 });
    const home = pick(policy, pool, request({ key: "a" }));
    for (let n = 0; n < 20; n += 1) load(pool, home, 1_000);
    expect(pick(policy, pool, request({ key: "a" }))).toBe(home);
    expect(pick(policy, pool, request({ key: "" }))).not.toBe(home);
  });

  it("scores load as 0.5, falling to 0 at the threshold and no lower", () => {
    const weights = { prefixWeight: 1, queueWeight: 0, kvWeight: 0, loadWeight: 10 };
    const { pool, policy } = setUp("llm_d", { ...weights, loadThreshold: 10 });
    policy.assigned!(0, prompt(10));
    // Engine 0 has all of the prompt: 1. Two of ten requests take 1 away, the third tips it.
    load(pool, 0, 1);
    expect(pick(policy, pool, prompt(10))).toBe(0);
    for (let n = 0; n < 2; n += 1) load(pool, 0, 1);
    expect(pick(policy, pool, prompt(10))).not.toBe(0);
    for (const engine of [0, 1, 2]) for (let n = 0; n < 12; n += 1) load(pool, engine, 1);
    expect(pick(policy, pool, prompt(10))).toBe(0);
  });
});

describe("cache_aware", () => {
  it("goes by the cache above 0.3 of the prompt, by load below, and by load where 64 and 1.5 times apart", () => {
    const { pool, policy } = setUp("cache_aware", {});
    policy.assigned!(2, prompt(4));
    load(pool, 2, 1);
    expect(pick(policy, pool, prompt(13))).toBe(2);
    expect(pick(policy, pool, prompt(14))).toBe(0);
    for (let n = 0; n < 63; n += 1) load(pool, 2, 1);
    expect(pick(policy, pool, prompt(4))).toBe(2);
    load(pool, 2, 1);
    expect(pick(policy, pool, prompt(4))).toBe(0);
  });
});
