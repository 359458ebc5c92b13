/**
 * The original's length_balance: least decayed history of what was assigned, in requests and bytes, ties at random.
 *
 * Score of an engine = (requests + weight × (bytes + bytes of this request)) ÷ the engine's own weight. The history of all workers counts; every
 * `mergeThreshold` assignments the total of every engine of the pool is divided by `decayFactor` and the recent ones are added.
 * (The original added the weighted length outside of the sum, where it had no effect, and decayed only engines that had been
 * picked lately, so that one huge prompt could starve an engine for good.)
 */
import type { Candidates, PickRequest, Policy, PolicyDeps } from "./shared/policy.ts";
import { TieBreaker } from "./shared/tie-breaker.ts";

export interface LengthBalanceOptions {
  readonly mergeThreshold: number;
  readonly requestLengthWeight: number;
  readonly decayFactor: number;
}

export function lengthBalance({ pool, random }: PolicyDeps, options: LengthBalanceOptions): Policy {
  const { board, slots, weights } = pool;
  const tieBreaker = new TieBreaker(pool.size);
  // An engine that stands in the pool twice has one slot, which decays once.
  const merged = [...new Set(Array.from(slots))];
  return {
    score(engine: number, { bytes }: PickRequest): number {
      const slot = slots[engine]!;
      const length = options.requestLengthWeight * (board.history.bytes(slot) + bytes);
      return (board.history.requests(slot) + length) / weights[engine]!;
    },

    pick({ count, engines }: Candidates, { bytes }: PickRequest): number {
      let lowest = Number.POSITIVE_INFINITY;
      for (let i = 0; i < count; i += 1) {
        const engine = engines[i]!;
        const slot = slots[engine]!;
        const length = options.requestLengthWeight * (board.history.bytes(slot) + bytes);
        const score = (board.history.requests(slot) + length) / weights[engine]!;
        if (score < lowest) tieBreaker.restart(engine);
        else if (score === lowest) tieBreaker.add(engine);
        else continue;
        lowest = score;
      }
      return tieBreaker.draw(random);
    },
    assigned(): void {
      if (board.history.countTowardsMerge(merged[0]!, options.mergeThreshold)) {
        board.history.merge(merged, options.decayFactor);
      }
    },
  };
}
