/**
 * NVIDIA Dynamo's cost: `overlapScoreWeight × prefill blocks + decode blocks`, the least of it, or with a temperature drawn by softmax over
 * the costs scaled to their range. As in its `lib/kv-router/src/scheduling/selector.rs`: prefill blocks are what the engine still has to
 * compute, this prompt's uncached part included; decode blocks what it holds, this prompt included. With P/D its prefill router counts
 * the first alone (`router_track_active_blocks = false`), its decode router the second. (Later releases call the weight
 * `prefill_load_scale`.) What an engine caches is told by a mirror here, by the engines' KV events there.
 */
import type { Candidates, PickRequest, Policy, PolicyDeps } from "../policy.ts";
import { PrefixIndex, uncachedBytes } from "../prefix-index.ts";

export interface DynamoOptions {
  readonly overlapScoreWeight: number;
  readonly temperature: number;
  readonly role: "prefill" | "decode" | "both";
  readonly blocksMax: number;
}

/** Both terms are in blocks, so that their size changes no order; this is the default of vLLM. */
const blockTokens = 16;

export function dynamo({ pool, random }: PolicyDeps, options: DynamoOptions): Policy {
  const { board, slots, weights } = pool;
  const index = new PrefixIndex(pool.size, options.blocksMax);
  const costs = new Float64Array(pool.size);

  /** Each of those that tie is as likely. */
  function cheapest({ count, engines }: Candidates): number {
    let best = engines[0]!;
    let least = Number.POSITIVE_INFINITY;
    let ties = 0;
    for (let i = 0; i < count; i += 1) {
      const cost = costs[i]!;
      if (cost > least) continue;
      ties = cost < least ? 1 : ties + 1;
      if (cost < least || random() * ties < 1) best = engines[i]!;
      least = cost;
    }
    return best;
  }

  function sampled(candidates: Candidates): number {
    const { count, engines } = candidates;
    let least = Number.POSITIVE_INFINITY;
    let most = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < count; i += 1) {
      least = Math.min(least, costs[i]!);
      most = Math.max(most, costs[i]!);
    }
    if (least === most) return cheapest(candidates);
    let sum = 0;
    for (let i = 0; i < count; i += 1) {
      costs[i] = Math.exp((least - costs[i]!) / ((most - least) * options.temperature));
      sum += costs[i]!;
    }
    let left = random() * sum;
    for (let i = 0; i < count; i += 1) {
      left -= costs[i]!;
      if (left < 0) return engines[i]!;
    }
    return engines[count - 1]!;
  }

  return {
    usesBlocks: true,

    pick(candidates: Candidates, request: PickRequest): number {
      const runs = index.runs(request.blocks);
      const blocksPerByte = request.bytes === 0 ? 0 : request.tokens / request.bytes / blockTokens;
      for (let i = 0; i < candidates.count; i += 1) {
        const engine = candidates.engines[i]!;
        const slot = slots[engine]!;
        let bytes = 0;
        if (options.role !== "decode") {
          const prefill = board.uncachedBytes(slot) + uncachedBytes(request, runs[engine]!);
          bytes = options.overlapScoreWeight * prefill;
        }
        if (options.role !== "prefill") bytes += board.promptBytes(slot) + request.bytes;
        costs[i] = (bytes * blocksPerByte) / weights[engine]!;
      }
      return options.temperature === 0 ? cheapest(candidates) : sampled(candidates);
    },

    uncachedBytes: (engine, request) =>
      uncachedBytes(request, index.leadingBlocks(engine, request.blocks)),

    assigned(engine: number, { blocks }: PickRequest): void {
      index.insert(engine, blocks);
    },
  };
}
