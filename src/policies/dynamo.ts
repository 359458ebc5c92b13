/**
 * NVIDIA Dynamo's cost: `overlapScoreWeight × prefill blocks + decode blocks`. The least is taken, or with a
 * temperature one is drawn by softmax over the costs scaled to their range. As in its
 * `lib/kv-router/src/scheduling/selector.rs`: prefill blocks are what the engine still has to compute, this prompt's
 * uncached part included; decode blocks are what is in its cache, this prompt included. With P/D its prefill router
 * counts the first alone (`router_track_active_blocks = false`), its decode router the second. Dynamo learns what an
 * engine has cached from KV events; here a model of each cache tells it, and KV events where they are on.
 */

import { PrefixIndex, uncachedBytes } from "../prefix-cache/prefix-index.ts";
import { blocksMax } from "./shared/common-options.ts";
import { definePolicy } from "./shared/define-policy.ts";
import { choice, number, type ValuesOf } from "./shared/options.ts";
import type { Candidates, PickRequest, Policy, PolicyDeps } from "./shared/policy.ts";
import { TieBreaker } from "./shared/tie-breaker.ts";

const options = {
  overlapScoreWeight: number({
    min: 0,
    default: 1,
    about: "Weight of prefill blocks against decode blocks.",
  }),
  temperature: number({
    min: 0,
    default: 0,
    about: "Temperature of the softmax over the costs. 0 = always the least cost.",
  }),
  role: choice(["prefill", "decode", "both"], {
    default: "prefill",
    about: "What counts: prefill blocks, decode blocks, or their sum where engines do both.",
  }),
  blocksMax,
};

type Options = ValuesOf<typeof options>;

export const dynamo = definePolicy({
  name: "dynamo",
  summary: "Least cost: prompt blocks that are still to compute, and blocks in the KV cache.",
  when: "comparing with Dynamo",
  source: "NVIDIA Dynamo",
  notes:
    "After `lib/kv-router/src/scheduling/selector.rs`. Cost = `overlapScoreWeight` × (tokens " +
    "still to prefill there + uncached tokens of this prompt) / 16 + (tokens there + tokens " +
    "of this prompt) / 16. The least cost wins, or where `temperature` > 0 one engine is " +
    "drawn by softmax over the costs scaled to their range. Dynamo's prefill router counts " +
    "the first term alone and its decode router the second: `role: prefill` (the default) " +
    "and `role: decode`; `both` is for engines that do both. Later releases call the weight " +
    "`prefill_load_scale`. A decode pool needs `role: decode`.",
  options,
  needs: ({ role }) => ({ blocks: role !== "decode" }),
  // At weight 0 all prefill costs are 0.
  weights: ({ temperature, overlapScoreWeight, role }) =>
    temperature === 0 && (overlapScoreWeight > 0 || role !== "prefill") ? "exact" : "none",
  variants: [{ role: "both", temperature: 0.5 }],
  create,
});

/** Both terms are in blocks, so that their size changes no order; this is the default of vLLM. */
const blockTokens = 16;

function create({ pool, random }: PolicyDeps, options: Options): Policy {
  const { board, slots, weights } = pool;
  const index = new PrefixIndex(pool, options.blocksMax);
  const costs = new Float64Array(pool.size);
  const tieBreaker = new TieBreaker(pool.size);

  function costOf(engine: number, request: PickRequest): number {
    const { bytes, tokens, blocks } = request;
    const slot = slots[engine]!;
    const cached = blocks.length === 0 ? 0 : (index.runs(request)[engine]! * bytes) / blocks.length;
    const uncached = board.uncachedBytes(slot) + bytes - cached;
    let cost = options.role === "decode" ? 0 : options.overlapScoreWeight * uncached;
    if (options.role !== "prefill") cost += board.promptBytes(slot) + bytes;
    const blocksPerByte = bytes === 0 ? 0 : tokens / bytes / blockTokens;
    return (cost * blocksPerByte) / weights[engine]!;
  }

  function cheapest({ count, engines }: Candidates): number {
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < count; i += 1) {
      const cost = costs[i]!;
      if (cost < least) tieBreaker.restart(engines[i]!);
      else if (cost === least) tieBreaker.add(engines[i]!);
      else continue;
      least = cost;
    }
    return tieBreaker.draw(random);
  }

  return {
    ...(options.temperature === 0 && { score: costOf }),

    pick(candidates: Candidates, request: PickRequest): number {
      const { bytes, tokens, blocks } = request;
      const runs = index.runs(request);
      const perRun = blocks.length === 0 ? 0 : bytes / blocks.length;
      const blocksPerByte = bytes === 0 ? 0 : tokens / bytes / blockTokens;
      for (let i = 0; i < candidates.count; i += 1) {
        const engine = candidates.engines[i]!;
        const slot = slots[engine]!;
        let cost = 0;
        if (options.role !== "decode") {
          const uncached = bytes - runs[engine]! * perRun;
          cost = options.overlapScoreWeight * (board.uncachedBytes(slot) + uncached);
        }
        if (options.role !== "prefill") cost += board.promptBytes(slot) + bytes;
        costs[i] = (cost * blocksPerByte) / weights[engine]!;
      }
      const { temperature } = options;
      return temperature === 0
        ? cheapest(candidates)
        : (softmaxDraw(costs, candidates, temperature, random) ?? cheapest(candidates));
    },

    uncachedBytes: (engine, request) =>
      uncachedBytes(request, index.leadingBlocks(engine, request)),

    assigned(engine: number, { blocks }: PickRequest): void {
      index.insert(engine, blocks);
    },
  };
}

/**
 * Draws an engine by softmax over the costs scaled to their range, and overwrites the costs; undefined = all cost the
 * same.
 * @param costs by place among the candidates
 */
function softmaxDraw(
  costs: Float64Array,
  { count, engines }: Candidates,
  temperature: number,
  random: () => number,
): number | undefined {
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < count; i += 1) {
    least = Math.min(least, costs[i]!);
    most = Math.max(most, costs[i]!);
  }
  if (least === most) return undefined;
  let sum = 0;
  for (let i = 0; i < count; i += 1) {
    costs[i] = Math.exp((least - costs[i]!) / ((most - least) * temperature));
    sum += costs[i]!;
  }
  let left = random() * sum;
  for (let i = 0; i < count; i += 1) {
    left -= costs[i]!;
    if (left < 0) return engines[i]!;
  }
  return engines[count - 1]!;
}
