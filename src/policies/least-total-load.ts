/**
 * The original's least_total_load: bytes in flight times the rounds that they take. With S bytes of R requests at an engine that batches B,
 * the load is `S × (⌈R / B⌉ + 1) / 2`; the request itself does not count. Ties at random. An engine of weight w counts as w engines.
 */
import { LowestScore } from "./shared/lowest-score.ts";
import type { Policy, PolicyDeps, PoolView } from "./shared/policy.ts";

export interface BatchOptions {
  /** Requests that an engine takes at a time. */
  readonly batchSize: number;
}

export function leastTotalLoad({ pool, random }: PolicyDeps, { batchSize }: BatchOptions): Policy {
  const least = new LowestScore(pool.size, random);
  const load = (engine: number) => totalLoad(pool, engine, batchSize);
  return { score: load, pick: (candidates, request) => least.of(candidates, request, load) };
}

export function totalLoad(
  { board, slots, weights }: PoolView,
  engine: number,
  batchSize: number,
): number {
  const slot = slots[engine]!;
  const weight = weights[engine]!;
  const rounds = Math.ceil(board.inFlight(slot) / weight / batchSize);
  return ((board.promptBytes(slot) / weight) * (rounds + 1)) / 2;
}
