/**
 * The original's prefill_score_balance: where the sum of all predicted response times grows least.
 *
 * A prompt is predicted to take `c = requestMs + tokenMs × tokens` ms of an engine. With A requests there of T ms together, one more makes
 * the sum grow by `(T + c)(A + 1) − T·A = T + c·(A + 1)`. An engine of weight w is so many times as fast.
 */
import { LowestScore } from "./shared/lowest-score.ts";
import type { PickRequest, Policy, PolicyDeps } from "./shared/policy.ts";

export interface PrefillScoreOptions {
  readonly tokenMs: number;
  readonly requestMs: number;
}

/** As the original estimates. */
const bytesPerToken = 4;

export function prefillScoreBalance(
  { pool, random }: PolicyDeps,
  { tokenMs, requestMs }: PrefillScoreOptions,
): Policy {
  const { board, slots, weights } = pool;
  const least = new LowestScore(pool.size, random);
  const byteMs = tokenMs / bytesPerToken;
  function growthMs(engine: number, { bytes }: PickRequest): number {
    const slot = slots[engine]!;
    const requests = board.inFlight(slot);
    // What all there take is linear in their number and bytes: no sum of its own to keep.
    const aheadMs = requestMs * requests + byteMs * board.promptBytes(slot);
    const ownMs = requestMs + byteMs * bytes;
    return (aheadMs + ownMs * (requests + 1)) / weights[engine]!;
  }
  return {
    score: growthMs,
    pick: (candidates, request) => least.of(candidates, request, growthMs),
  };
}
