/**
 * SMG's `cache_aware`: while loads are balanced, the engine that has most of the prompt, if it has enough of it, else the one with the most
 * room in its cache; where they are not, the least loaded one. As in sgl-model-gateway's `policies/cache_aware.rs`, with blocks in place
 * of a tree of characters.
 */

import type { Candidates, PickRequest, Policy, PolicyDeps } from "../policy.ts";
import { PrefixIndex } from "../prefix-index.ts";

export interface CacheAwareOptions {
  readonly cacheThreshold: number;
  readonly balanceAbsolute: number;
  readonly balanceRelative: number;
  readonly blocksMax: number;
}

export function cacheAware({ pool }: PolicyDeps, options: CacheAwareOptions): Policy {
  const index = new PrefixIndex(pool.size, options.blocksMax);
  const load = (engine: number) => pool.board.inFlight(pool.slots[engine]!) / pool.weights[engine]!;
  return {
    usesBlocks: true,

    pick(candidates: Candidates, { blocks }: PickRequest): number {
      let least = candidates.engines[0]!;
      let most = least;
      let holder = least;
      let held = -1;
      let roomiest = least;
      for (let i = 0; i < candidates.count; i += 1) {
        const engine = candidates.engines[i]!;
        if (load(engine) < load(least)) least = engine;
        if (load(engine) > load(most)) most = engine;
        const run = index.leadingBlocks(engine, blocks);
        if (run > held || (run === held && load(engine) < load(holder))) {
          held = run;
          holder = engine;
        }
        if (index.size(engine) < index.size(roomiest)) roomiest = engine;
      }
      const isUneven =
        load(most) - load(least) > options.balanceAbsolute &&
        load(most) > options.balanceRelative * load(least);
      if (isUneven || blocks.length === 0) return least;
      return held / blocks.length > options.cacheThreshold ? holder : roomiest;
    },

    assigned(engine: number, { blocks }: PickRequest): void {
      index.insert(engine, blocks);
    },
  };
}
