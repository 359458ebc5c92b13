/**
 * The original's length_balance: least decayed history of what was assigned, in requests and bytes, ties at random.
 *
 * Score of an engine = (requests + weight × (bytes + bytes of this request)) ÷ the engine's own weight. The history of
 * all workers counts. Every `mergeThreshold` assignments the total of every engine of the pool is divided by
 * `decayFactor`, and the recent ones are added. The original added the weighted length outside of the sum, where it had
 * no effect, and decayed only engines that it had picked lately, so that one huge prompt could starve an engine for
 * good.
 */

import { definePolicy } from "./shared/define-policy.ts";
import { integer, number, type ValuesOf } from "./shared/options.ts";
import type { Candidates, PickRequest, Policy, PolicyDeps } from "./shared/policy.ts";
import { TieBreaker } from "./shared/tie-breaker.ts";

const options = {
  mergeThreshold: integer({
    min: 1,
    default: 32,
    unit: "requests",
    about: "Requests between two merges of the recent load into the decayed total.",
  }),
  requestLengthWeight: number({ min: 0, default: 1, about: "Weight of bytes against requests." }),
  decayFactor: integer({ min: 1, default: 2, about: "Each merge divides the total by this." }),
};

type Options = ValuesOf<typeof options>;

export const lengthBalance = definePolicy({
  name: "length_balance",
  summary: "Least decayed history of assigned bytes and requests.",
  when: "the original's configuration",
  source: "the original",
  options,
  // One request is too short a history to share by weight.
  weights: ({ mergeThreshold }) => (mergeThreshold === 1 ? "none" : "exact"),
  variants: [{ mergeThreshold: 1, decayFactor: 3 }],
  nginx: {
    form: "bare",
    settings: {
      length_balance_merge_threshold: "mergeThreshold",
      length_balance_decay_factor: "decayFactor",
      length_balance_req_len_weight: "requestLengthWeight",
    },
  },
  create,
});

function create({ pool, random }: PolicyDeps, options: Options): Policy {
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
