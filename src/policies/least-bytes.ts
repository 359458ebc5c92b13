/**
 * Fewest bytes of prompts in flight for the engine's weight: the prefill work that is outstanding, or for decode the KV
 * cache that is resident.
 */

import { definePolicy } from "./shared/define-policy.ts";
import type { Candidates, Policy, PolicyDeps } from "./shared/policy.ts";
import { TieBreaker } from "./shared/tie-breaker.ts";

export const leastBytes = definePolicy({
  name: "least_bytes",
  summary: "Fewest bytes of prompts in flight for the engine's weight, at random among equals.",
  when: "prompts of very different length without shared prefixes",
  source: "ours",
  options: {},
  create,
});

function create({ pool, random }: PolicyDeps): Policy {
  const { board, slots, weights } = pool;
  const tieBreaker = new TieBreaker(pool.size);
  return {
    score: (engine) => board.promptBytes(slots[engine]!) / weights[engine]!,

    pick({ count, engines }: Candidates): number {
      let least = Number.POSITIVE_INFINITY;
      for (let i = 0; i < count; i += 1) {
        const engine = engines[i]!;
        const load = board.promptBytes(slots[engine]!) / weights[engine]!;
        if (load < least) tieBreaker.restart(engine);
        else if (load === least) tieBreaker.add(engine);
        else continue;
        least = load;
      }
      return tieBreaker.draw(random);
    },
  };
}
