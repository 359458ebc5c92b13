/**
 * llm-d's weighted scorers with its max-score picker: each scorer gives an engine 0 to 1, the highest weighted sum is picked, at random
 * among equals. Formulas as in the Gateway API inference extension (`pkg/epp/scheduling/framework/plugins`) and llm-d's inference
 * scheduler (`pkg/plugins/scorer`); what they poll from engines is the proxy's own count here, which is never old, and where `signals` are on, what
 * others have there as well.
 *
 * - prefix-cache-scorer: share of the prompt's blocks that the engine has.
 * - queue-scorer: 1 for the shortest queue, 0 for the longest, linear between; 1 where all are alike.
 * - kv-cache-utilization-scorer: 1 − share of the KV cache in use.
 * - load-aware-scorer: 0.5 for an empty queue, falling to 0 at the threshold.
 * - session-affinity-scorer: 1 for the session's engine. There a header of the answer says which that was; here it is the key's on the ring.
 */

import { PrefixIndex } from "../prefix-cache/prefix-index.ts";
import { HashRing } from "./shared/hash-ring.ts";
import type { Candidates, PickRequest, Policy, PolicyDeps } from "./shared/policy.ts";
import { TieBreaker } from "./shared/tie-breaker.ts";

export interface LlmDOptions {
  readonly prefixWeight: number;
  readonly queueWeight: number;
  readonly kvWeight: number;
  readonly loadWeight: number;
  readonly sessionWeight: number;
  readonly loadThreshold: number;
  readonly kvTokens: number;
  readonly blocksMax: number;
}

export function llmD({ pool, random }: PolicyDeps, options: LlmDOptions): Policy {
  const { board, slots, weights } = pool;
  const { kvWeight, loadWeight, sessionWeight, loadThreshold } = options;
  const index = new PrefixIndex(pool, options.blocksMax);
  const ring = sessionWeight === 0 ? undefined : new HashRing(pool);
  const queues = new Float64Array(pool.size);
  const tieBreaker = new TieBreaker(pool.size);

  /** The first candidate from the key's point on, or -1. */
  function home(candidates: Candidates, key: string): number {
    if (ring === undefined || key === "") return -1;
    const point = ring.point(key);
    for (let steps = 0; steps < ring.size; steps += 1) {
      const engine = ring.engine(point + steps);
      if (candidates.has(engine)) return engine;
    }
    return -1;
  }

  /** By the engine's word, and what was sent there since; else by what is there of this proxy's. */
  function kvInUse(engine: number, kvPerByte: number): number {
    const slot = slots[engine]!;
    const reported = board.signals.kvUse(slot);
    if (reported < 0) return (board.promptBytes(slot) * kvPerByte) / weights[engine]!;
    return Math.max(0, reported + board.signals.tokensSinceKvUse(slot) / options.kvTokens);
  }

  function load(queue: number): number {
    return 0.5 * (1 - Math.min(queue, loadThreshold) / loadThreshold);
  }

  return {
    usesBlocks: options.prefixWeight > 0,

    pick(candidates: Candidates, request: PickRequest): number {
      const { blocks, bytes, tokens, key } = request;
      const { count, engines } = candidates;
      const runs = index.runs(request);
      const session = home(candidates, key);
      let shortest = Number.POSITIVE_INFINITY;
      let longest = 0;
      for (let i = 0; i < count; i += 1) {
        const engine = engines[i]!;
        const queue = board.load(slots[engine]!) / weights[engine]!;
        queues[i] = queue;
        shortest = Math.min(shortest, queue);
        longest = Math.max(longest, queue);
      }
      const perBlock = blocks.length === 0 ? 0 : options.prefixWeight / blocks.length;
      const perQueue = longest === shortest ? 0 : options.queueWeight / (longest - shortest);
      const kvPerByte = bytes === 0 ? 0 : tokens / bytes / options.kvTokens;
      let most = Number.NEGATIVE_INFINITY;
      for (let i = 0; i < count; i += 1) {
        const engine = engines[i]!;
        const inUse = kvWeight === 0 ? 0 : kvInUse(engine, kvPerByte);
        let score = perBlock * runs[engine]! + perQueue * (longest - queues[i]!);
        score += kvWeight * (1 - Math.min(1, inUse));
        if (loadWeight !== 0) score += loadWeight * load(queues[i]!);
        if (engine === session) score += sessionWeight;
        if (score > most) tieBreaker.restart(engine);
        else if (score === most) tieBreaker.add(engine);
        else continue;
        most = score;
      }
      return tieBreaker.draw(random);
    },

    assigned(engine: number, { blocks }: PickRequest): void {
      index.insert(engine, blocks);
    },
  };
}
