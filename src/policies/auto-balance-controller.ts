/**
 * The original's auto_balance_controller: while some engine has fewer than `batchSize` requests, the one of these with the fewest bytes in
 * flight; else the one with the fewest requests. Ties at random. An engine of weight w counts as w engines.
 */

import type { BatchOptions } from "./least-total-load.ts";
import { LowestScore } from "./shared/lowest-score.ts";
import type { Candidates, PickRequest, Policy, PolicyDeps } from "./shared/policy.ts";

export function autoBalanceController(
  { pool, random }: PolicyDeps,
  { batchSize }: BatchOptions,
): Policy {
  const { board, slots, weights } = pool;
  const least = new LowestScore(pool.size, random);
  const requests = (engine: number) => board.inFlight(slots[engine]!) / weights[engine]!;
  const bytesWhileRoom = (engine: number) =>
    requests(engine) < batchSize
      ? board.promptBytes(slots[engine]!) / weights[engine]!
      : Number.POSITIVE_INFINITY;
  return {
    pick(candidates: Candidates, request: PickRequest): number {
      for (let i = 0; i < candidates.count; i += 1) {
        if (requests(candidates.engines[i]!) >= batchSize) continue;
        return least.of(candidates, request, bytesWhileRoom);
      }
      return least.of(candidates, request, requests);
    },
  };
}
