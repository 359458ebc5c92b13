/**
 * The original's weighted_least_active, for decode: fewest requests in flight; of those, fewest tokens resident in the
 * KV cache; at random among equals. A request's tokens are its prompt's, by its bytes. Both count per weight.
 */

import { definePolicy } from "./shared/define-policy.ts";
import type { Candidates, Policy, PolicyDeps } from "./shared/policy.ts";
import { TieBreaker } from "./shared/tie-breaker.ts";

export const weightedLeastActive = definePolicy({
  name: "weighted_least_active",
  summary: "Fewest requests in flight, then fewest bytes of their prompts.",
  when: "decode pools of the original's configurations",
  source: "the original",
  options: {},
  nginx: { form: "on_off", zones: ["weighted_least_active_shm_size"] },
  create,
});

function create({ pool, random }: PolicyDeps): Policy {
  const { board, slots, weights } = pool;
  const tieBreaker = new TieBreaker(pool.size);
  return {
    pick({ count, engines }: Candidates): number {
      let fewest = Number.POSITIVE_INFINITY;
      let lightest = Number.POSITIVE_INFINITY;
      for (let i = 0; i < count; i += 1) {
        const engine = engines[i]!;
        const active = board.inFlight(slots[engine]!) / weights[engine]!;
        if (active > fewest) continue;
        const bytes = board.promptBytes(slots[engine]!) / weights[engine]!;
        if (active === fewest && bytes > lightest) continue;
        if (active === fewest && bytes === lightest) tieBreaker.add(engine);
        else tieBreaker.restart(engine);
        fewest = active;
        lightest = bytes;
      }
      return tieBreaker.draw(random);
    },
  };
}
