/** Fewest bytes of prompts in flight for its weight: outstanding prefill work, or for decode the KV cache that is resident. */
import type { Candidates, Policy, PolicyDeps } from "../policy.ts";

export function leastBytes({ pool, random }: PolicyDeps): Policy {
  return {
    pick(candidates: Candidates): number {
      let best = candidates.engines[0]!;
      let least = Number.POSITIVE_INFINITY;
      let ties = 0;
      for (let i = 0; i < candidates.count; i += 1) {
        const engine = candidates.engines[i]!;
        const load = pool.board.promptBytes(pool.slots[engine]!) / pool.weights[engine]!;
        if (load > least) continue;
        ties = load < least ? 1 : ties + 1;
        // Each of those that tie is as likely.
        if (load < least || random() * ties < 1) best = engine;
        least = load;
      }
      return best;
    },
  };
}
