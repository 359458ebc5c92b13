/**
 * A session stays with its engine: consistent hash of its key, and on along the ring while the engine there has more than its share of
 * the load. As SMG's `bounded_consistent_hashing` (sgl-model-gateway's `policies/bounded_consistent_hashing.rs`), with requests for its
 * weight as the load. A request without a key goes where the load is least.
 */

import { leastConn } from "./least-conn.ts";
import { HashRing } from "./shared/hash-ring.ts";
import type { Candidates, PickRequest, Policy, PolicyDeps } from "./shared/policy.ts";

export function sessionAffinity(deps: PolicyDeps, options: { maxLoadSkew: number }): Policy {
  const { board, slots, weights } = deps.pool;
  const least = leastConn(deps);
  const ring = new HashRing(deps.pool);

  /** Requests per weight above which an engine is passed over; none where that would be all of them. */
  function bound({ count, engines }: Candidates): number {
    if (options.maxLoadSkew === 0) return Number.POSITIVE_INFINITY;
    let requests = 0;
    let weight = 0;
    let lightest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < count; i += 1) {
      const engine = engines[i]!;
      const inFlight = board.inFlight(slots[engine]!);
      requests += inFlight;
      weight += weights[engine]!;
      lightest = Math.min(lightest, inFlight / weights[engine]!);
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
        if (board.inFlight(slots[engine]!) / weights[engine]! <= most) return engine;
      }
      return candidates.engines[0]!;
    },
  };
}
