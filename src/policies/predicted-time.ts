/**
 * Least sum of predicted wait, own prefill, and three times the work that another engine's cache would save. It chooses
 * at once; the queue with `shortest_prefill` order goes by the same terms.
 */

import { PrefillCost } from "../estimates/prefill-cost.ts";
import { PrefixIndex, uncachedBytes } from "../prefix-cache/prefix-index.ts";
import { blocksMax } from "./shared/common-options.ts";
import { definePolicy } from "./shared/define-policy.ts";
import { number, type ValuesOf } from "./shared/options.ts";
import type { Candidates, PickRequest, Policy, PolicyDeps } from "./shared/policy.ts";

const options = {
  duplicateWeight: number({
    min: 0,
    default: 3,
    about: "Weight of work that another engine's cache would save.",
  }),
  blocksMax,
};

type Options = ValuesOf<typeof options>;

export const predictedTime = definePolicy({
  name: "predicted_time",
  summary: "Least predicted wait and prefill time, with what each engine has cached.",
  when: "prefill pools without a queue",
  source: "ours",
  options,
  needs: { blocks: true },
  create,
});

function create({ pool }: PolicyDeps, options: Options): Policy {
  const { board, slots, weights } = pool;
  const index = new PrefixIndex(pool, options.blocksMax);
  const cost = new PrefillCost(pool.size);

  /**
   * As if those in flight were alike, so that each has its own base cost; those of others are as these, or else as the
   * prompt itself.
   */
  function waitMsAt(engine: number, tokens: number, tokensPerByte: number): number {
    const slot = slots[engine]!;
    const all = board.load(slot);
    if (all === 0) return 0;
    const own = board.inFlight(slot);
    const ahead = own === 0 ? tokens : (board.uncachedBytes(slot) * tokensPerByte) / own;
    return all * cost.predict(engine, ahead, 0);
  }

  return {
    score(engine: number, request: PickRequest): number {
      const { blocks, tokens, bytes } = request;
      const cached = blocks.length === 0 ? 0 : index.runs(request)[engine]! / blocks.length;
      const own = cost.predict(engine, Math.max(1, tokens * (1 - cached)), tokens);
      const waitMs = waitMsAt(engine, tokens, bytes === 0 ? 0 : tokens / bytes);
      return (waitMs + own) / weights[engine]! + options.duplicateWeight * own;
    },

    pick({ count, engines }: Candidates, request: PickRequest): number {
      const { blocks, tokens, bytes } = request;
      const runs = index.runs(request);
      const perBlock = blocks.length === 0 ? 0 : 1 / blocks.length;
      const tokensPerByte = bytes === 0 ? 0 : tokens / bytes;
      let best = engines[0]!;
      let bestScore = Number.POSITIVE_INFINITY;
      for (let i = 0; i < count; i += 1) {
        const engine = engines[i]!;
        const uncached = tokens * (1 - runs[engine]! * perBlock);
        const own = cost.predict(engine, Math.max(1, uncached), tokens);
        const waitMs = waitMsAt(engine, tokens, tokensPerByte);
        // What it takes more than where it takes least, but for that least, which is the same for all.
        const score = (waitMs + own) / weights[engine]! + options.duplicateWeight * own;
        if (score < bestScore) {
          bestScore = score;
          best = engine;
        }
      }
      return best;
    },

    uncachedBytes: (engine, request) =>
      uncachedBytes(request, index.leadingBlocks(engine, request)),

    assigned(engine: number, { blocks }: PickRequest): void {
      index.insert(engine, blocks);
    },
  };
}
