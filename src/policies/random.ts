/** At random by weight; with `two`, the less loaded of two that were drawn (nginx's `random two least_conn`). */
import type { Candidates, Policy, PolicyDeps } from "./shared/policy.ts";

export function random({ pool, random: chance }: PolicyDeps, options: { two: boolean }): Policy {
  function draw(candidates: Candidates): number {
    let total = 0;
    for (let i = 0; i < candidates.count; i += 1) total += pool.weights[candidates.engines[i]!]!;
    let point = chance() * total;
    for (let i = 0; i < candidates.count; i += 1) {
      const engine = candidates.engines[i]!;
      point -= pool.weights[engine]!;
      if (point < 0) return engine;
    }
    return candidates.engines[candidates.count - 1]!;
  }
  function load(engine: number): number {
    return pool.board.inFlight(pool.slots[engine]!) / pool.weights[engine]!;
  }
  return {
    pick(candidates: Candidates): number {
      const first = draw(candidates);
      if (!options.two || candidates.count === 1) return first;
      // nginx draws again when both draws are the same; a few tries do, the rest are as good as one draw.
      let second = draw(candidates);
      for (let tries = 0; second === first && tries < 8; tries += 1) second = draw(candidates);
      return load(second) < load(first) ? second : first;
    },
  };
}
