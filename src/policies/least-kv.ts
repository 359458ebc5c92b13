/**
 * Fewest tokens in the KV cache for the engine's weight: prompts in flight and their responses so far. Where engines
 * report their load (`signals`), the load of other clients is included. Each request counts as `requestTokens` more.
 */

import { definePolicy } from "./shared/define-policy.ts";
import { LowestScore } from "./shared/lowest-score.ts";
import { integer, type ValuesOf } from "./shared/options.ts";
import type { Candidates, PickRequest, Policy, PolicyDeps } from "./shared/policy.ts";

const options = {
  kvTokens: integer({
    min: 1,
    default: 500_000,
    unit: "tokens",
    about: "Tokens that an engine's KV cache holds. Used where engines report the share in use.",
  }),
  requestTokens: integer({
    min: 0,
    default: 1_000,
    unit: "tokens",
    about:
      "Tokens that a request counts as beside its own: each one makes a decode step longer, whatever its length.",
  }),
};

type Options = ValuesOf<typeof options>;

export const leastKv = definePolicy({
  name: "least_kv",
  summary:
    "Fewest tokens in the KV cache for the engine's weight: prompts in flight and their responses so far.",
  when: "decode pools; the default where a route splits prefill and decode",
  source: "ours",
  options,
  create,
});

function create({ pool, random }: PolicyDeps, options: Options): Policy {
  const { board, slots, weights } = pool;
  const least = new LowestScore(pool.size, random);

  const score = (engine: number) => {
    const slot = slots[engine]!;
    const reported = board.signals.kvUse(slot);
    const tokens =
      reported < 0
        ? board.kvTokens(slot)
        : reported * options.kvTokens + Math.max(0, board.signals.tokensSinceKvUse(slot));
    return (tokens + options.requestTokens * board.load(slot)) / weights[engine]!;
  };

  return {
    score,
    pick: (candidates: Candidates, request: PickRequest) => least.of(candidates, request, score),
  };
}
