/**
 * SMG's `cache_aware`: while loads are balanced, the engine that has most of the prompt, if it has enough of it; else, and where they are
 * not, the least loaded one. As in sgl-model-gateway's `policies/cache_aware.rs` with the defaults of its command line, and with blocks
 * in place of a tree of characters. (Its comment says that a prompt that nobody has goes to the smallest tree; its code says this.)
 */

import { PrefixIndex } from "../prefix-cache/prefix-index.ts";
import type { Candidates, PickRequest, Policy, PolicyDeps } from "./shared/policy.ts";

export interface CacheAwareOptions {
  readonly cacheThreshold: number;
  readonly balanceAbsolute: number;
  readonly balanceRelative: number;
  readonly blocksMax: number;
}

export function cacheAware({ pool }: PolicyDeps, options: CacheAwareOptions): Policy {
  const index = new PrefixIndex(pool, options.blocksMax);
  const { board, slots, weights } = pool;
  return {
    usesBlocks: true,

    pick({ count, engines }: Candidates, request: PickRequest): number {
      const { blocks } = request;
      const runs = index.runs(request);
      let least = engines[0]!;
      let leastLoad = Number.POSITIVE_INFINITY;
      let mostLoad = 0;
      let holder = least;
      let holderLoad = leastLoad;
      for (let i = 0; i < count; i += 1) {
        const engine = engines[i]!;
        const load = board.inFlight(slots[engine]!) / weights[engine]!;
        if (load > mostLoad) mostLoad = load;
        if (load < leastLoad) {
          least = engine;
          leastLoad = load;
        }
        const longer = runs[engine]! - runs[holder]!;
        if (longer > 0 || (longer === 0 && load < holderLoad)) {
          holder = engine;
          holderLoad = load;
        }
      }
      const isUneven =
        mostLoad - leastLoad > options.balanceAbsolute &&
        mostLoad > options.balanceRelative * leastLoad;
      if (isUneven || runs[holder]! <= options.cacheThreshold * blocks.length) return least;
      return holder;
    },

    assigned(engine: number, { blocks }: PickRequest): void {
      index.insert(engine, blocks);
    },
  };
}
