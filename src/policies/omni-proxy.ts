/**
 * The scheduler of the original's successor, omni_proxy, as far as it places: its queue let every request through at once.
 *
 * Prefill, `default`: of the engines with room, the one that has the longest part of the prompt's beginning; then fewest tokens, then fewest requests.
 * Where none has any of it: fewest tokens of all, in turn among equals. `earliest_batch`: see `./shared/omni-batches.ts`.
 * Decode: fewest tokens of the engines with room, in turn among equals; any at random where none has room.
 * Tokens are those of the prompts in flight. Each engine of weight w counts as w.
 */

import { PrefixIndex } from "../prefix-cache/prefix-index.ts";
import { random } from "./random.ts";
import { OmniBatches } from "./shared/omni-batches.ts";
import { OmniLoad, type OmniRoom } from "./shared/omni-load.ts";
import type { Candidates, PickRequest, Policy, PolicyDeps } from "./shared/policy.ts";

export interface OmniOptions extends OmniRoom {
  readonly algo: "default" | "earliest_batch";
  readonly blocksMax: number;
}

export function omniProxy(deps: PolicyDeps, options: OmniOptions): Policy {
  const load = new OmniLoad(deps.pool, options);
  return options.role === "prefill" ? prefill(deps, options, load) : decode(deps, load);
}

function prefill({ pool }: PolicyDeps, options: OmniOptions, load: OmniLoad): Policy {
  const index = new PrefixIndex(pool, options.blocksMax);
  const batches = options.algo === "earliest_batch" ? new OmniBatches(pool) : undefined;

  function longestPrefix(candidates: Candidates, request: PickRequest): number {
    if (request.blocks.length === 0) return -1;
    const runs = index.runs(request);
    let best = -1;
    for (let i = 0; i < candidates.count; i += 1) {
      const engine = candidates.engines[i]!;
      const run = runs[engine]!;
      if (run === 0 || !load.hasCapacity(engine)) continue;
      if (best < 0 || run > runs[best]!) best = engine;
      else if (run === runs[best]! && load.isLighter(engine, best)) best = engine;
    }
    return best;
  }

  return {
    usesBlocks: true,

    pick(candidates: Candidates, request: PickRequest): number {
      const soonest = batches?.pick(candidates, request.clock.wallMs(), load) ?? -1;
      if (soonest >= 0) return soonest;
      const holder = longestPrefix(candidates, request);
      return holder >= 0 ? holder : load.fewestTokens(candidates, false);
    },

    assigned(engine: number, { blocks, clock }: PickRequest): void {
      index.insert(engine, blocks);
      batches?.assigned(engine, clock);
    },

    answered(engine: number): void {
      batches?.answered(engine);
    },
  };
}

function decode(deps: PolicyDeps, load: OmniLoad): Policy {
  const any = random(deps, { two: false });
  return {
    pick(candidates: Candidates, request: PickRequest): number {
      const engine = load.fewestTokens(candidates, true);
      return engine >= 0 ? engine : any.pick(candidates, request);
    },
  };
}
