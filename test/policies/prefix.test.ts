/** A prompt whose beginning an engine has in its cache goes there, unless that engine is overloaded. */
import { describe, expect, it } from "vitest";
import { policySchema } from "../../src/config/schema/pool/policies.ts";
import { createPolicy, policyNeeds } from "../../src/policies/create-policy.ts";
import { policies } from "../../src/policies/registry.ts";
import { isRequired } from "../../src/policies/shared/define-policy.ts";
import type { PickRequest } from "../../src/policies/shared/policy.ts";
import { Lease } from "../../src/scoreboard/lease.ts";
import { among, poolOf, request } from "./pool-view.ts";
import { variantsOf } from "./variants.ts";

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
    const { send } = setUp(name);
    expect(policyNeeds(policySchema.parse({ name })).blocks).toBe(true);
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 400; i += 1) counts[send(request())]! += 1;
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  });
});

const withBlocks = policies
  .filter(({ name, options }) => {
    return (
      !Object.values(options).some(isRequired) && policyNeeds(policySchema.parse({ name })).blocks
    );
  })
  .map(({ name }) => name);

describe.each(withBlocks)("%s, where engines report what they have", (name) => {
  it("does not look for a prompt where it was sent, but is no more", () => {
    const { send, end } = setUp(name);
    const first = send(long(1));
    const reported = [0, 0, 0, 0];
    reported[(first + 1) % 4] = 40;
    const second = { ...long(1), reported };
    expect(send(second)).toBe((first + 1) % 4);
    end(second);
  });

  it("goes by what was sent to those that do not tell", () => {
    const { send, end } = setUp(name);
    const one = long(1);
    const first = send(one);
    end(one);
    expect(send({ ...long(1), reported: [-1, -1, -1, -1] })).toBe(first);
  });
});

it("policies that declare that they look at blocks are those that read them, and no others", () => {
  for (const definition of policies) {
    for (const options of variantsOf(definition)) {
      const config = policySchema.parse({ name: definition.name, ...options });
      const policy = createPolicy(config, { pool: poolOf([1, 1]), random: () => 0.5 });
      let reads = 0;
      const one = {
        ...request(),
        get blocks() {
          reads += 1;
          return [1, 2];
        },
      };
      const engine = policy.pick(among(poolOf([1, 1])), one);
      policy.assigned?.(engine, one);
      const { blocks = false } = policyNeeds(config);
      // Who asks the index although its answer has no weight does no harm.
      if (!blocks && reads > 0) expect(["dynamo", "llm_d"]).toContain(definition.name);
      else
        expect([definition.name, options, reads > 0]).toEqual([definition.name, options, blocks]);
    }
  }
});
