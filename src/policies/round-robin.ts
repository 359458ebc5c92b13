/**
 * In turn, smoothly weighted: nginx's algorithm. At each turn every engine gains its weight, and the winner pays the
 * sum. A failure takes a share of an engine's weight away. The share comes back by one per turn, so an engine returns
 * gently after an ejection.
 */

import { definePolicy } from "./shared/define-policy.ts";
import type { Candidates, Policy, PolicyDeps } from "./shared/policy.ts";

export const roundRobin = definePolicy({
  name: "round_robin",
  summary: "In turn, smoothly weighted, as nginx does by default.",
  when: "engines and requests are alike",
  source: "nginx, its default",
  options: {},
  create,
});

function create({ pool }: PolicyDeps): Policy {
  const current = new Float64Array(pool.size);
  /** nginx's `effective_weight`: never above the weight, never below zero. */
  const effective = Float64Array.from(pool.weights);
  return {
    pick(candidates: Candidates): number {
      let total = 0;
      let best = candidates.engines[0]!;
      for (let i = 0; i < candidates.count; i += 1) {
        const engine = candidates.engines[i]!;
        // An engine that starts slowly has less than it will have.
        const whole = pool.weights[engine]!;
        const weight = Math.min(effective[engine]!, whole);
        total += weight;
        current[engine] = current[engine]! + weight;
        if (effective[engine]! < whole) effective[engine] = Math.min(whole, weight + 1);
        if (current[engine]! > current[best]!) best = engine;
      }
      current[best] = current[best]! - total;
      return best;
    },

    failed(engine: number, maxFails: number): void {
      if (maxFails === 0) return;
      const share = Math.trunc(pool.weights[engine]! / maxFails);
      effective[engine] = Math.max(0, effective[engine]! - share);
    },
  };
}
