/**
 * The original's prefill_score_balance: the engine where the sum of all predicted response times grows least.
 *
 * A prompt is predicted to take `c = requestMs + tokenMs × tokens` ms of an engine. With A requests there of T ms
 * together, one more makes the sum grow by `(T + c)(A + 1) − T·A = T + c·(A + 1)`. An engine of weight w is w times as
 * fast.
 */

import { definePolicy } from "./shared/define-policy.ts";
import { LowestScore } from "./shared/lowest-score.ts";
import { number, type ValuesOf } from "./shared/options.ts";
import type { PickRequest, Policy, PolicyDeps } from "./shared/policy.ts";

const options = {
  tokenMs: number({ min: 0, default: 0.0345, unit: "ms", about: "Prefill time of a token." }),
  requestMs: number({
    min: 0,
    default: 120.0745,
    unit: "ms",
    about: "Prefill time of a request, beside its tokens.",
  }),
};

type Options = ValuesOf<typeof options>;

export const prefillScoreBalance = definePolicy({
  name: "prefill_score_balance",
  summary: "Where the sum of all predicted response times grows least.",
  when: "prompts of very different length, few requests in flight",
  source: "the original",
  options,
  nginx: { form: "on_off", zones: ["prefill_score_shm_size"] },
  create,
});

/** As the original estimates. */
const bytesPerToken = 4;

function create({ pool, random }: PolicyDeps, { tokenMs, requestMs }: Options): Policy {
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
