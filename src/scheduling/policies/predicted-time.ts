/**
 * Dispatched at once where predicted wait, own prefill, and three times the work that another cache would have saved add up to the least:
 * what the held queue goes by, for routes that cannot hold.
 */

import type { Candidates, PickRequest, Policy, PolicyDeps } from "../policy.ts";
import { PrefillCost } from "../prefill-cost.ts";
import { PrefixIndex } from "../prefix-index.ts";

export interface PredictedTimeOptions {
  readonly duplicateWeight: number;
  readonly blocksMax: number;
}

export function predictedTime({ pool }: PolicyDeps, options: PredictedTimeOptions): Policy {
  const index = new PrefixIndex(pool.size, options.blocksMax);
  const cost = new PrefillCost(pool.size);
  const ms = new Float64Array(pool.size);
  return {
    usesBlocks: true,

    pick(candidates: Candidates, { blocks, tokens, bytes }: PickRequest): number {
      let least = Number.POSITIVE_INFINITY;
      for (let i = 0; i < candidates.count; i += 1) {
        const engine = candidates.engines[i]!;
        const run = blocks.length === 0 ? 0 : index.leadingBlocks(engine, blocks) / blocks.length;
        ms[engine] = cost.predict(engine, Math.max(1, tokens * (1 - run)), tokens);
        least = Math.min(least, ms[engine]!);
      }
      const tokensPerByte = bytes === 0 ? 0 : tokens / bytes;
      let best = candidates.engines[0]!;
      let bestScore = Number.POSITIVE_INFINITY;
      for (let i = 0; i < candidates.count; i += 1) {
        const engine = candidates.engines[i]!;
        const slot = pool.slots[engine]!;
        const ahead = pool.board.promptBytes(slot) * tokensPerByte;
        const waitMs = ahead === 0 ? 0 : cost.predict(engine, ahead, 0);
        const own = ms[engine]!;
        const score =
          (waitMs + own) / pool.weights[engine]! + options.duplicateWeight * (own - least);
        if (score < bestScore) {
          bestScore = score;
          best = engine;
        }
      }
      return best;
    },

    assigned(engine: number, { blocks }: PickRequest): void {
      index.insert(engine, blocks);
    },
  };
}
