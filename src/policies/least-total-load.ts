/**
 * The original's least_total_load: bytes in flight times the rounds that they take. With S bytes of R requests at an
 * engine that batches B, the load is `S × (⌈R / B⌉ + 1) / 2`; the request itself does not count. Ties at random. An
 * engine of weight w counts as w engines.
 */

import { batchSize } from "./shared/common-options.ts";
import { definePolicy } from "./shared/define-policy.ts";
import { LowestScore } from "./shared/lowest-score.ts";
import type { ValuesOf } from "./shared/options.ts";
import type { Policy, PolicyDeps, PoolView } from "./shared/policy.ts";

const options = { batchSize: batchSize(16) };

type Options = ValuesOf<typeof options>;

export const leastTotalLoad = definePolicy({
  name: "least_total_load",
  summary: "Fewest bytes in flight, times the rounds of batches that they take.",
  when: "configurations of the original",
  source: "the original",
  options,
  nginx: { form: "on_off", settings: { least_total_load_batch_size: "batchSize" } },
  create,
});

function create({ pool, random }: PolicyDeps, { batchSize: perBatch }: Options): Policy {
  const least = new LowestScore(pool.size, random);
  const load = (engine: number) => totalLoad(pool, engine, perBatch);
  return { score: load, pick: (candidates, request) => least.of(candidates, request, load) };
}

export function totalLoad(
  { board, slots, weights }: PoolView,
  engine: number,
  perBatch: number,
): number {
  const slot = slots[engine]!;
  const weight = weights[engine]!;
  const rounds = Math.ceil(board.inFlight(slot) / weight / perBatch);
  return ((board.promptBytes(slot) / weight) * (rounds + 1)) / 2;
}
