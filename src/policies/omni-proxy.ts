/**
 * The scheduler of the original's successor, omni_proxy, as far as it places requests: its queue let every request
 * through at once.
 *
 * Prefill, `default`: of the engines with room, the one that has the longest part of the prompt's beginning; then
 * fewest tokens, then fewest requests. Where no engine has any of it: fewest tokens of all, in turn among equals.
 * `earliest_batch`: see `./shared/omni-batches.ts`. Decode: fewest tokens of the engines with room, in turn among
 * equals; any at random where none has room. Tokens are those of the prompts in flight. An engine of weight w counts as
 * w engines.
 */

import { PrefixIndex } from "../prefix-cache/prefix-index.ts";
import { random } from "./random.ts";
import { blocksMax, role } from "./shared/common-options.ts";
import { definePolicy } from "./shared/define-policy.ts";
import { OmniBatches } from "./shared/omni-batches.ts";
import { OmniLoad } from "./shared/omni-load.ts";
import { choice, integer, type ValuesOf } from "./shared/options.ts";
import type { Candidates, PickRequest, Policy, PolicyDeps } from "./shared/policy.ts";

const options = {
  role,
  algo: choice(["default", "earliest_batch"], {
    default: "default",
    about: "For prefill: by the longest cached prefix, or by when the prompt's batch would end.",
  }),
  maxBatchNumToken: integer({
    min: 1,
    default: 32_000,
    unit: "tokens",
    about: "Tokens in flight beyond which a prefill engine has no room.",
  }),
  maxNumSeqs: integer({
    min: 1,
    default: 32,
    unit: "requests",
    about: "Requests beyond which an engine has no room. It is no limit: `maxConns` is.",
  }),
  blocksMax,
};

type Options = ValuesOf<typeof options>;

export const omniProxy = definePolicy({
  name: "omni_proxy",
  summary:
    "Longest cached prefix, then fewest tokens in flight; or the batch that is expected to end first.",
  when: "configurations of omni_proxy",
  source: "the original's successor",
  notes: "A decode pool needs `role: decode`.",
  options,
  needs: ({ role: ofPool }) => ({ blocks: ofPool === "prefill" }),
  variants: [
    { role: "prefill", maxNumSeqs: 1, maxBatchNumToken: 1 },
    { role: "prefill", algo: "earliest_batch" },
    { role: "decode", maxNumSeqs: 1 },
  ],
  create,
});

function create(deps: PolicyDeps, options: Options): Policy {
  const load = new OmniLoad(deps.pool, options);
  return options.role === "prefill" ? prefill(deps, options, load) : decode(deps, load);
}

function prefill({ pool }: PolicyDeps, options: Options, load: OmniLoad): Policy {
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

    responseStarted(engine: number): void {
      batches?.responseStarted(engine);
    },
  };
}

function decode(deps: PolicyDeps, load: OmniLoad): Policy {
  const any = random.create(deps, { two: false });
  return {
    pick(candidates: Candidates, request: PickRequest): number {
      const engine = load.fewestTokens(candidates, true);
      return engine >= 0 ? engine : any.pick(candidates, request);
    },
  };
}
