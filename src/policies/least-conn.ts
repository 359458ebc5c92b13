/**
 * Fewest requests in flight for the engine's weight; smooth round robin among equals, as nginx's least_conn.
 */

import { roundRobin } from "./round-robin.ts";
import { definePolicy } from "./shared/define-policy.ts";
import type { Candidates, PickRequest, Policy, PolicyDeps } from "./shared/policy.ts";

export const leastConn = definePolicy({
  name: "least_conn",
  summary: "Fewest requests in flight for the engine's weight, in turn among equals.",
  when: "decode pools with requests of one size",
  source: "nginx",
  options: {},
  create,
});

function create(deps: PolicyDeps): Policy {
  const { pool } = deps;
  const turn = roundRobin.create(deps, {});
  const least = new Int32Array(pool.size);
  const among: Candidates = {
    count: 0,
    engines: least,
    has: (engine) => least.subarray(0, among.count).includes(engine),
  };
  const score = (engine: number) =>
    pool.board.inFlight(pool.slots[engine]!) / pool.weights[engine]!;
  return {
    score,
    pick(candidates: Candidates, request: PickRequest): number {
      let lowest = Number.POSITIVE_INFINITY;
      among.count = 0;
      for (let i = 0; i < candidates.count; i += 1) {
        const engine = candidates.engines[i]!;
        const load = score(engine);
        if (load < lowest) {
          lowest = load;
          among.count = 0;
        }
        if (load === lowest) {
          least[among.count] = engine;
          among.count += 1;
        }
      }
      return among.count === 1 ? least[0]! : turn.pick(among, request);
    },
  };
}
