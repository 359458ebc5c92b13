/**
 * At random by weight. With `two`, the less loaded of two that are drawn: nginx's `random two least_conn`.
 */

import { definePolicy } from "./shared/define-policy.ts";
import { flag, type ValuesOf } from "./shared/options.ts";
import type { Candidates, Policy, PolicyDeps } from "./shared/policy.ts";

const options = {
  two: flag({ default: false, about: "Draw two engines and take the less loaded." }),
};

type Options = ValuesOf<typeof options>;

export const random = definePolicy({
  name: "random",
  summary: "At random, by weight.",
  when: "many proxies before the same engines",
  source: "nginx",
  options,
  weights: ({ two }) => (two ? "none" : "exact"),
  create,
});

function create({ pool, random: chance }: PolicyDeps, options: Options): Policy {
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
