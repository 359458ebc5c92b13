/**
 * The original's prefix_cache_affinity: of the engines that had the longest part of this prompt's beginning before, the
 * one with the least total load. Where no engine had any of it, or loads differ by more than 15 requests, the least
 * total load alone decides.
 */

import { promptBlockBytes } from "../limits.ts";
import { PrefixIndex } from "../prefix-cache/prefix-index.ts";
import { totalLoad } from "./least-total-load.ts";
import { batchSize } from "./shared/common-options.ts";
import { definePolicy } from "./shared/define-policy.ts";
import { LowestScore } from "./shared/lowest-score.ts";
import { integer, type ValuesOf } from "./shared/options.ts";
import type { Candidates, PickRequest, Policy, PolicyDeps } from "./shared/policy.ts";

const options = {
  batchSize: batchSize(16),
  dictSize: integer({
    min: 1,
    max: 1 << 24,
    default: 10_000,
    unit: "blocks",
    about: "Blocks of prompts that each worker remembers per engine.",
  }),
  blockBytes: integer({
    min: 1,
    max: 65_536,
    default: 640,
    unit: "bytes",
    about: "Size of one such block. Prompts are compared in blocks of 2 KiB, whatever it is.",
  }),
};

type Options = ValuesOf<typeof options>;

export const prefixCacheAffinity = definePolicy({
  name: "prefix_cache_affinity",
  summary:
    "Least total load of the engines that had the longest part of the prompt's beginning, while loads are even.",
  when: "configurations of the original",
  source: "the original",
  options,
  needs: { blocks: true },
  nginx: {
    form: "on_off",
    settings: {
      least_total_load_batch_size: "batchSize",
      prefix_cache_affinity_block_size: "blockBytes",
      prefix_cache_affinity_dict_size: "dictSize",
    },
  },
  create,
});

/** Loads are uneven where engines differ by more requests. */
const unevenRequests = 15;

function create(
  { pool, random }: PolicyDeps,
  { batchSize: perBatch, dictSize, blockBytes }: Options,
): Policy {
  const { board, slots, weights } = pool;
  const least = new LowestScore(pool.size, random);
  const blocksMax = Math.ceil((dictSize * blockBytes) / promptBlockBytes);
  const index = new PrefixIndex(pool, blocksMax);
  let runs: Int32Array = new Int32Array(pool.size);
  let longest = 0;
  const load = (engine: number) => totalLoad(pool, engine, perBatch);
  const loadOfHolders = (engine: number) =>
    runs[engine] === longest ? load(engine) : Number.POSITIVE_INFINITY;

  function isUneven(candidates: Candidates): boolean {
    let most = 0;
    let fewest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < candidates.count; i += 1) {
      const engine = candidates.engines[i]!;
      const requests = board.inFlight(slots[engine]!) / weights[engine]!;
      most = Math.max(most, requests);
      fewest = Math.min(fewest, requests);
    }
    return most - fewest > unevenRequests;
  }

  return {
    pick(candidates: Candidates, request: PickRequest): number {
      if (request.blocks.length === 0 || isUneven(candidates)) {
        return least.of(candidates, request, load);
      }
      runs = index.runs(request);
      longest = 0;
      for (let i = 0; i < candidates.count; i += 1) {
        longest = Math.max(longest, runs[candidates.engines[i]!]!);
      }
      // Where none has any of it, all hold as much.
      return least.of(candidates, request, loadOfHolders);
    },

    assigned(engine: number, { blocks }: PickRequest): void {
      index.insert(engine, blocks);
    },
  };
}
