/** For worked examples: engines with given requests in flight, and a policy that places as a pool does. */
import { type PolicyConfig, policySchema } from "../../src/config/schema/pool/policies.ts";
import { createPolicy } from "../../src/policies/create-policy.ts";
import type { PickRequest, PoolView } from "../../src/policies/shared/policy.ts";
import { Lease } from "../../src/scoreboard/lease.ts";
import { seededRandom } from "../../src/simulated-engine/model/prng.ts";
import { among, poolOf, request } from "./pool-view.ts";

export interface Example {
  readonly pool: PoolView;
  /** What the clock shows; the test moves it. */
  readonly clock: { nowMs: number; wallMs(): number };
  pick(part?: Partial<PickRequest>, fit?: readonly number[]): number;
  /** Engines that are picked in so many picks without a placement. */
  picks(times: number, part?: Partial<PickRequest>): number[];
  /** Places a request where the policy says, or at this engine. */
  place(part?: Partial<PickRequest>, engine?: number): Placed;
  /** The engine begins its answer to one request. */
  response(engine: number): void;
}

interface Placed {
  readonly engine: number;
  readonly lease: Lease;
}

/** @param load bytes of each request in flight, by engine; the policy was not told of these */
export function example(
  config: { readonly name: PolicyConfig["name"]; readonly [option: string]: unknown },
  load: readonly (readonly number[])[],
  weights: readonly number[] = load.map(() => 1),
  pool: PoolView = poolOf(weights),
): Example {
  const policy = createPolicy(policySchema.parse(config), { pool, random: seededRandom(3) });
  const clock = {
    nowMs: 1_000_000,
    wallMs() {
      return clock.nowMs;
    },
  };
  load.forEach((requests, engine) => {
    for (const bytes of requests) pool.board.take(pool.slots[engine]!, bytes, 0);
  });
  const pick: Example["pick"] = (part = {}, fit = undefined) =>
    policy.pick(among(pool, fit), request({ clock, ...part }));
  return {
    pool,
    clock,
    pick,
    picks: (times, part = {}) => Array.from({ length: times }, () => pick(part)),
    place(part = {}, engine = pick(part)) {
      const one = request({ clock, ...part });
      const slot = pool.slots[engine]!;
      pool.board.take(slot, one.bytes, 0);
      policy.assigned?.(engine, one);
      return { engine, lease: new Lease(pool.board, slot, one.bytes, one.bytes, policy, engine) };
    },
    response: (engine) => policy.responseStarted?.(engine),
  };
}
