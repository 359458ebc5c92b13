/**
 * The original's pd_score_balance, of its releases 2508 and 2603 (`maxNumSeqs` asks for the latter). An engine of
 * weight w counts as w engines.
 *
 * Prefill: fewest bytes in flight, this prompt's included. 2603: of the engines with fewer than `maxNumSeqs` requests,
 * if there are any; else fewest requests.
 *
 * Decode: looks ahead to the prompts that are still in prefill and will come here. They and this one are dealt out in
 * thought, longest first, each to the engine with the fewest bytes that has room (LPT); this one goes where it comes to
 * lie. 2603: only when the engines' numbers of requests differ by one at most and some have room, and only to the
 * oldest prompts, two for each engine; else fewest requests. The pools of the two roles find each other by the
 * scoreboard. All prompts that the prefill role placed count, of all workers.
 */

import { foreseenPromptsMax } from "../limits.ts";
import { role } from "./shared/common-options.ts";
import { definePolicy } from "./shared/define-policy.ts";
import { Heap } from "./shared/heap.ts";
import { LowestScore } from "./shared/lowest-score.ts";
import { integer, optionalInteger, type ValuesOf } from "./shared/options.ts";
import type { Candidates, PickRequest, Policy, PolicyDeps } from "./shared/policy.ts";

const options = {
  role,
  decodeReqLimit: integer({
    min: 0,
    default: 0,
    unit: "requests",
    about: "As in release 2508: requests beyond which a decode engine has no room. 0 = no limit.",
  }),
  maxNumSeqs: optionalInteger({
    min: 1,
    unit: "requests",
    about: "As in release 2603: the same, for either role. It asks for that release's meaning.",
  }),
};

type Options = ValuesOf<typeof options>;

export const pdScoreBalance = definePolicy({
  name: "pd_score_balance",
  summary:
    "Prefill: fewest bytes in flight. Decode: the same, looking ahead to the prompts that are in prefill (LPT).",
  when: "configurations of the original",
  source: "the original, the default of its script",
  notes:
    "Follows release 2508, unless `maxNumSeqs` asks for release 2603. A decode pool needs `role: decode`.",
  options,
  variants: [
    { role: "prefill", maxNumSeqs: 2 },
    { role: "decode", decodeReqLimit: 3 },
    { role: "decode", maxNumSeqs: 2 },
  ],
  nginx: {
    first: "role",
    settings: {
      pd_score_balance_decode_req_limit: "decodeReqLimit",
      pd_score_balance_max_num_seqs: "maxNumSeqs",
    },
    zones: ["pd_score_balance_shm_size"],
  },
  create,
});

/** Of the list of prompts: those that are in prefill. Other groups are slots. */
const inPrefill = -1;

function create(deps: PolicyDeps, options: Options): Policy {
  return options.role === "prefill" ? prefill(deps, options) : decode(deps, options);
}

function prefill({ pool, random }: PolicyDeps, { maxNumSeqs }: Options): Policy {
  const { board, slots, weights } = pool;
  const least = new LowestScore(pool.size, random);
  const room = maxNumSeqs ?? Number.POSITIVE_INFINITY;
  const requests = (engine: number) => board.inFlight(slots[engine]!) / weights[engine]!;
  const bytesWhereRoom = (engine: number, { bytes }: PickRequest) =>
    requests(engine) < room
      ? (board.promptBytes(slots[engine]!) + bytes) / weights[engine]!
      : Number.POSITIVE_INFINITY;
  return {
    pick(candidates: Candidates, request: PickRequest): number {
      for (let i = 0; i < candidates.count; i += 1) {
        if (requests(candidates.engines[i]!) >= room) continue;
        return least.of(candidates, request, bytesWhereRoom);
      }
      return least.of(candidates, request, requests);
    },
    assigned(_engine: number, { bytes, clock }: PickRequest): void {
      board.prompts.add(inPrefill, bytes, clock.wallMs());
    },
    ended(_engine: number, bytes: number): void {
      board.prompts.remove(inPrefill, bytes);
    },
  };
}

function decode({ pool, random }: PolicyDeps, options: Options): Policy {
  const { board, slots, weights } = pool;
  const least = new LowestScore(pool.size, random);
  const { maxNumSeqs, decodeReqLimit } = options;
  const room = (maxNumSeqs ?? decodeReqLimit) || Number.POSITIVE_INFINITY;
  const foreseenMax =
    maxNumSeqs === undefined ? foreseenPromptsMax : Math.min(2 * pool.size, foreseenPromptsMax);
  const bytes = new Float64Array(foreseenMax);
  /** Longest first: by the negative of its bytes. */
  const longer = new Heap(foreseenMax);
  const lightest = new Heap(pool.size);
  /** Requests of each engine, with those dealt out in thought. */
  const active = new Float64Array(pool.size);
  const activeOf = (engine: number) => active[engine]!;

  /** Fills `active`; whether the look-ahead decides. */
  function looksAhead(candidates: Candidates): boolean {
    let fewest = Number.POSITIVE_INFINITY;
    let most = 0;
    for (let i = 0; i < candidates.count; i += 1) {
      const engine = candidates.engines[i]!;
      const own = board.inFlight(slots[engine]!) / weights[engine]!;
      active[engine] = own;
      fewest = Math.min(fewest, own);
      most = Math.max(most, own);
    }
    return maxNumSeqs === undefined || (fewest < room && most - fewest <= 1);
  }

  return {
    pick(candidates: Candidates, request: PickRequest): number {
      if (!looksAhead(candidates)) return least.of(candidates, request, activeOf);
      longer.clear();
      const count = board.prompts.oldest(inPrefill, bytes, foreseenMax);
      for (let i = 0; i < count; i += 1) {
        if (bytes[i]! > request.bytes) longer.add(i, -bytes[i]!);
      }
      lightest.clear();
      for (let i = 0; i < candidates.count; i += 1) {
        const engine = candidates.engines[i]!;
        if (active[engine]! >= room) continue;
        lightest.add(engine, board.promptBytes(slots[engine]!) / weights[engine]!);
      }
      for (; longer.count > 0 && lightest.count > 0; longer.removeTop()) {
        const engine = lightest.top;
        active[engine] = active[engine]! + 1 / weights[engine]!;
        if (active[engine]! >= room) lightest.removeTop();
        else lightest.raiseTop(lightest.topKey - longer.topKey / weights[engine]!);
      }
      return lightest.count > 0 ? lightest.top : least.of(candidates, request, activeOf);
    },
  };
}
