/**
 * The original's auto_balance_controller: while some engine has fewer than `batchSize` requests, the one of these with
 * the fewest bytes in flight; otherwise the one with the fewest requests. Ties at random. An engine of weight w counts
 * as w engines.
 */

import { batchSize } from "./shared/common-options.ts";
import { definePolicy } from "./shared/define-policy.ts";
import { LowestScore } from "./shared/lowest-score.ts";
import type { ValuesOf } from "./shared/options.ts";
import type { Candidates, PickRequest, Policy, PolicyDeps } from "./shared/policy.ts";

const options = { batchSize: batchSize(24) };

type Options = ValuesOf<typeof options>;

export const autoBalanceController = definePolicy({
  name: "auto_balance_controller",
  summary: "Fewest bytes in flight while some engine's batch has room, then fewest requests.",
  when: "configurations of the original",
  source: "the original",
  options,
  nginx: { form: "on_off", settings: { auto_balance_controller_batch_size: "batchSize" } },
  create,
});

function create({ pool, random }: PolicyDeps, { batchSize: perBatch }: Options): Policy {
  const { board, slots, weights } = pool;
  const least = new LowestScore(pool.size, random);
  const requests = (engine: number) => board.inFlight(slots[engine]!) / weights[engine]!;
  const bytesWhileRoom = (engine: number) =>
    requests(engine) < perBatch
      ? board.promptBytes(slots[engine]!) / weights[engine]!
      : Number.POSITIVE_INFINITY;
  return {
    pick(candidates: Candidates, request: PickRequest): number {
      for (let i = 0; i < candidates.count; i += 1) {
        if (requests(candidates.engines[i]!) >= perBatch) continue;
        return least.of(candidates, request, bytesWhileRoom);
      }
      return least.of(candidates, request, requests);
    },
  };
}
