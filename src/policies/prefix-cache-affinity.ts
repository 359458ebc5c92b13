/**
 * The original's prefix_cache_affinity: of the engines that had the longest part of this prompt's beginning before, the one with the least total
 * load. Where none had any, or loads are uneven by more than 15 requests, the least total load alone decides.
 */
import { promptBlockBytes } from "../limits.ts";
import { PrefixIndex } from "../prefix-cache/prefix-index.ts";
import { type BatchOptions, totalLoad } from "./least-total-load.ts";
import { LowestScore } from "./shared/lowest-score.ts";
import type { Candidates, PickRequest, Policy, PolicyDeps } from "./shared/policy.ts";

export interface AffinityOptions extends BatchOptions {
  /** What is remembered of an engine: blocks, and the bytes of one. */
  readonly dictSize: number;
  readonly blockBytes: number;
}

/** Loads are uneven where engines differ by more requests. */
const unevenRequests = 15;

export function prefixCacheAffinity(
  { pool, random }: PolicyDeps,
  { batchSize, dictSize, blockBytes }: AffinityOptions,
): Policy {
  const { board, slots, weights } = pool;
  const least = new LowestScore(pool.size, random);
  const blocksMax = Math.ceil((dictSize * blockBytes) / promptBlockBytes);
  const index = new PrefixIndex(pool, blocksMax);
  let runs: Int32Array = new Int32Array(pool.size);
  let longest = 0;
  const load = (engine: number) => totalLoad(pool, engine, batchSize);
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
    usesBlocks: true,

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
