/**
 * A session stays with its engine: consistent hash of its key, and on along the ring while the engine there has more
 * than its share of the load. As SMG's `bounded_consistent_hashing` (sgl-model-gateway's
 * `policies/bounded_consistent_hashing.rs`), with requests for the engine's weight as the load. A request without a key
 * goes where the load is least.
 */

import { leastConn } from "./least-conn.ts";
import { definePolicy } from "./shared/define-policy.ts";
import { HashRing } from "./shared/hash-ring.ts";
import { number, templates, type ValuesOf } from "./shared/options.ts";
import type { Candidates, PickRequest, Policy, PolicyDeps } from "./shared/policy.ts";

const options = {
  keys: templates({
    default: ["$http_x_session_id", "$body_prompt_cache_key", "$body_user"],
    about: "Templates. The first that is not empty names the session.",
  }),
  maxLoadSkew: number({
    min: 0,
    default: 1.5,
    about: "An engine with more than this many times the mean load is passed over. 0 = never.",
  }),
};

type Options = ValuesOf<typeof options>;

export const sessionAffinity = definePolicy({
  name: "session_affinity",
  summary: "A session stays with its engine, by a ring with bounded load.",
  when: "chats that come back and say who they are",
  source: "SMG, `bounded_consistent_hashing`",
  notes:
    "After `bounded_consistent_hashing.rs` of sgl-model-gateway. An engine with more than " +
    "1.5 times the mean of requests in flight is passed over along the ring; if all have " +
    "more, the session's own engine takes the request. SMG takes the key from " +
    "`X-SMG-Routing-Key`. The defaults here are `$http_x_session_id` and OpenAI's fields " +
    "`prompt_cache_key` and `user`. Requests without a key go where the fewest are in " +
    "flight. The ring is nginx's ketama ring (160 points for each unit of weight), as of " +
    "`hash … consistent`.",
  options,
  weights: "rough",
  variants: [{ maxLoadSkew: 1 }],
  create,
});

function create(deps: PolicyDeps, options: Options): Policy {
  const { board, slots, weights } = deps.pool;
  const least = leastConn.create(deps, {});
  const ring = new HashRing(deps.pool);

  /** Requests in flight per weight of each candidate, as of this pick. */
  const loads = new Float64Array(deps.pool.size);

  /**
   * Fills `loads`. Each is read once: other workers add requests meanwhile, and a bound of older loads would pass over
   * the session's own engine.
   * @returns the load above which an engine is passed over; none where that would be all of them
   */
  function bound({ count, engines }: Candidates): number {
    if (options.maxLoadSkew === 0) return Number.POSITIVE_INFINITY;
    let requests = 0;
    let weight = 0;
    let lightest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < count; i += 1) {
      const engine = engines[i]!;
      const inFlight = board.inFlight(slots[engine]!);
      const load = inFlight / weights[engine]!;
      requests += inFlight;
      weight += weights[engine]!;
      loads[engine] = load;
      lightest = Math.min(lightest, load);
    }
    const most = (options.maxLoadSkew * requests) / weight;
    return lightest > most ? Number.POSITIVE_INFINITY : most;
  }

  return {
    pick(candidates: Candidates, request: PickRequest): number {
      if (request.key === "") return least.pick(candidates, request);
      const most = bound(candidates);
      const point = ring.point(request.key);
      for (let steps = 0; steps < ring.size; steps += 1) {
        const engine = ring.engine(point + steps);
        if (!candidates.has(engine)) continue;
        if (loads[engine]! <= most) return engine;
      }
      return candidates.engines[0]!;
    },
  };
}
