/** In turn, smoothly weighted: nginx's algorithm (each turn every engine gains its weight; the winner pays the sum). */
import type { Candidates, Policy, PolicyDeps } from "../policy.ts";

export function roundRobin({ pool }: PolicyDeps): Policy {
  const current = new Float64Array(pool.size);
  return {
    pick(candidates: Candidates): number {
      let total = 0;
      let best = candidates.engines[0]!;
      for (let i = 0; i < candidates.count; i += 1) {
        const engine = candidates.engines[i]!;
        const weight = pool.weights[engine]!;
        total += weight;
        current[engine] = current[engine]! + weight;
        if (current[engine]! > current[best]!) best = engine;
      }
      current[best] = current[best]! - total;
      return best;
    },
  };
}
