/**
 * Fewest tokens in the KV cache for its weight: prompts in flight, and their answers so far. Where engines tell their load (`signals`), what others have
 * there is in it. What a request costs beside its tokens counts as `requestTokens`.
 */
import { LowestScore } from "./shared/lowest-score.ts";
import type { Candidates, PickRequest, Policy, PolicyDeps } from "./shared/policy.ts";

export interface LeastKvOptions {
  readonly kvTokens: number;
  readonly requestTokens: number;
}

export function leastKv({ pool, random }: PolicyDeps, options: LeastKvOptions): Policy {
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
