/** A prompt whose beginning an engine has in its cache goes there, unless that engine is overloaded. */
import { describe, expect, it } from "vitest";
import { policySchema, prefixPolicies } from "../../src/config/schema/policies.ts";
import { createPolicy } from "../../src/policies/registry.ts";
import type { PickRequest } from "../../src/policies/shared/policy.ts";
import { Lease } from "../../src/scoreboard/lease.ts";
import { among, poolOf, request } from "./pool-view.ts";

/** 40 blocks of 512 tokens, and as many bytes as they have. */
const long = (first: number): PickRequest =>
  request({
    bytes: 80_000,
    tokens: 20_000,
    blocks: Array.from({ length: 40 }, (_, i) => first * 1_000 + i),
  });

function setUp(name: string, options: object = {}) {
  const pool = poolOf([1, 1, 1, 1]);
  const leases = new Map<PickRequest, Lease>();
  const policy = createPolicy(policySchema.parse({ name, ...options }), {
    pool,
    random: () => 0.5,
  });
  const send = (one: PickRequest): number => {
    const engine = policy.pick(among(pool), one);
    const uncached = policy.uncachedBytes?.(engine, one) ?? one.bytes;
    pool.board.take(pool.slots[engine]!, one.bytes, 0, uncached);
    leases.set(one, new Lease(pool.board, pool.slots[engine]!, one.bytes, uncached));
    policy.assigned?.(engine, one);
    return engine;
  };
  const end = (one: PickRequest) => leases.get(one)!.close();
  return { policy, pool, send, end };
}

describe.each(["cache_aware", "predicted_time", "dynamo", "llm_d"])("%s", (name) => {
  it("keeps the prompts of a chat together, and different chats apart", () => {
    const { send, end } = setUp(name);
    const firsts = [1, 2, 3, 4].map(long);
    const homes = firsts.map(send);
    firsts.forEach(end);
    expect(new Set(homes).size).toBe(4);
    for (let turn = 0; turn < 3; turn += 1) {
      [1, 2, 3, 4].forEach((chat, i) => {
        const one = long(chat);
        const longer = { ...one, blocks: [...one.blocks, chat * 1_000 + 500 + turn] };
        const engine = send(longer);
        end(longer);
        expect(engine).toBe(homes[i]);
      });
    }
  });

  // Dynamo's cost of a prompt that is cached is nothing, however many there are.
  it.runIf(name !== "dynamo")(
    "does not pile everything on one engine, however well it knows the prompt",
    () => {
      const { send } = setUp(name);
      const counts = [0, 0, 0, 0];
      for (let i = 0; i < 2_000; i += 1) counts[send(long(1))]! += 1;
      expect(Math.min(...counts)).toBeGreaterThan(20);
    },
  );

  it("says that it looks at blocks, and does without them", () => {
    const { policy, send } = setUp(name);
    expect(policy.usesBlocks).toBe(true);
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 400; i += 1) counts[send(request())]! += 1;
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  });
});

/** Those that place at once; held prompts are in a queue of their own. */
const atOnce = [...prefixPolicies].filter((name) => name !== "predictive");

describe.each(atOnce)("%s, where engines tell what they have", (name) => {
  const role = name === "omni_proxy" ? { role: "prefill" } : {};

  it("does not look for a prompt where it was sent, but is no more", () => {
    const { send, end } = setUp(name, role);
    const first = send(long(1));
    const reported = [0, 0, 0, 0];
    reported[(first + 1) % 4] = 40;
    const second = { ...long(1), reported };
    expect(send(second)).toBe((first + 1) % 4);
    end(second);
  });

  it("goes by what was sent to those that do not tell", () => {
    const { send, end } = setUp(name, role);
    const one = long(1);
    const first = send(one);
    end(one);
    expect(send({ ...long(1), reported: [-1, -1, -1, -1] })).toBe(first);
  });
});

it("an operator is told of policies that would not go by KV events, and of no other ones", () => {
  const roles: Partial<Record<string, object>> = {
    pd_score_balance: { role: "prefill" },
    omni_proxy: { role: "prefill" },
    hash: { key: "$uri" },
  };
  for (const option of policySchema.options) {
    const name = option.shape.name.value;
    const config = policySchema.parse({ name, ...roles[name] });
    const policy = createPolicy(config, { pool: poolOf([1]), random: () => 0.5 });
    expect([name, policy.usesBlocks ?? false]).toEqual([name, prefixPolicies.has(name)]);
  }
});
