/**
 * A session stays with its engine: consistent hash of its key, and on along the ring while the engine there has more than its share of
 * the load. As SMG's `bounded_consistent_hashing` (sgl-model-gateway's `policies/bounded_consistent_hashing.rs`), with requests for its
 * weight as the load. A request without a key goes where the load is least.
 */
import { HashRing } from "../hash-ring.ts";
import type { Candidates, PickRequest, Policy, PolicyDeps } from "../policy.ts";
import { leastConn } from "./least-conn.ts";

export function sessionAffinity(deps: PolicyDeps, options: { maxLoadSkew: number }): Policy {
  const { board, slots, weights } = deps.pool;
  const least = leastConn(deps);
  const ring = new HashRing(deps.pool);
  const isOver = (engine: number, share: number) =>
    board.inFlight(slots[engine]!) > share * weights[engine]!;
  return {
    pick(candidates: Candidates, request: PickRequest): number {
      if (request.key === "") return least.pick(candidates, request);
      let requests = 0;
      let weight = 0;
      for (let i = 0; i < candidates.count; i += 1) {
        const engine = candidates.engines[i]!;
        requests += board.inFlight(slots[engine]!);
        weight += weights[engine]!;
      }
      const share =
        options.maxLoadSkew === 0 ? Infinity : (options.maxLoadSkew * requests) / weight;
      const point = ring.point(request.key);
      let preferred = -1;
      for (let steps = 0; steps < ring.size; steps += 1) {
        const engine = ring.engine(point + steps);
        if (!candidates.has(engine)) continue;
        if (!isOver(engine, share)) return engine;
        if (preferred < 0) preferred = engine;
      }
      return preferred < 0 ? candidates.engines[0]! : preferred;
    },
  };
}
