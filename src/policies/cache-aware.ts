/**
 * SMG's `cache_aware`: while loads are balanced, the engine that has most of the prompt, if it has enough of it;
 * otherwise the least loaded engine. As in sgl-model-gateway's `policies/cache_aware.rs` with the defaults of its
 * command line, with blocks in place of a tree of characters.
 */

import { PrefixIndex } from "../prefix-cache/prefix-index.ts";
import { blocksMax } from "./shared/common-options.ts";
import { definePolicy } from "./shared/define-policy.ts";
import { number, type ValuesOf } from "./shared/options.ts";
import type { Candidates, PickRequest, Policy, PolicyDeps } from "./shared/policy.ts";

const options = {
  cacheThreshold: number({
    min: 0,
    max: 1,
    default: 0.3,
    about: "Share of a prompt that an engine must have to be preferred.",
  }),
  balanceAbsolute: number({
    min: 0,
    default: 64,
    unit: "requests",
    about:
      "Loads are uneven when they differ by more than this and by more than `balanceRelative`.",
  }),
  balanceRelative: number({ min: 1, default: 1.5, about: "See `balanceAbsolute`; a factor." }),
  blocksMax,
};

type Options = ValuesOf<typeof options>;

export const cacheAware = definePolicy({
  name: "cache_aware",
  summary: "The engine with most of the prompt in its cache, while loads are even.",
  when: "comparing with SMG",
  source: "SMG",
  notes:
    "After `cache_aware.rs` of sgl-model-gateway, with the defaults of its command line " +
    "(0.3, 64, 1.5; those of the library are 0.5, 32, 1.1). If no engine has enough of a " +
    "prompt, the engine with the fewest requests gets it, as in SMG's code (its comment " +
    "says: the smallest tree). Of several engines with as much of the prompt the less loaded " +
    "one is taken, where SMG takes any.",
  options,
  needs: { blocks: true },
  variants: [{ cacheThreshold: 0, balanceAbsolute: 0 }],
  create,
});

function create({ pool }: PolicyDeps, options: Options): Policy {
  const index = new PrefixIndex(pool, options.blocksMax);
  const { board, slots, weights } = pool;
  return {
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
