/**
 * The original's length_balance: least decayed history of what was assigned, in requests and bytes, ties at random.
 *
 * Score of an engine = (requests + weight × (bytes + bytes of this request)) ÷ the engine's own weight. The history of all workers counts; every
 * `mergeThreshold` assignments the total of every engine of the pool is divided by `decayFactor` and the recent ones are added.
 * (The original added the weighted length outside of the sum, where it had no effect, and decayed only engines that had been
 * picked lately, so that one huge prompt could starve an engine for good.)
 */
import type { Candidates, PickRequest, Policy, PolicyDeps } from "../policy.ts";

export interface LengthBalanceOptions {
  readonly mergeThreshold: number;
  readonly requestLengthWeight: number;
  readonly decayFactor: number;
}

export function lengthBalance({ pool, random }: PolicyDeps, options: LengthBalanceOptions): Policy {
  const { board, slots } = pool;
  // An engine that stands in the pool twice has one slot, which decays once.
  const merged = [...new Set(Array.from(slots))];
  return {
    pick(candidates: Candidates, request: PickRequest): number {
      let best = candidates.engines[0]!;
      let lowest = Number.POSITIVE_INFINITY;
      let ties = 0;
      for (let i = 0; i < candidates.count; i += 1) {
        const engine = candidates.engines[i]!;
        const slot = slots[engine]!;
        const load =
          board.historyRequests(slot) +
          options.requestLengthWeight * (board.historyBytes(slot) + request.bytes);
        const score = load / pool.weights[engine]!;
        if (score < lowest) {
          lowest = score;
          best = engine;
          ties = 1;
        } else if (score === lowest) {
          ties += 1;
          if (random() * ties < 1) best = engine;
        }
      }
      return best;
    },
    assigned(): void {
      if (board.countTowardsMerge(merged[0]!, options.mergeThreshold)) {
        board.mergeHistory(merged, options.decayFactor);
      }
    },
  };
}
