/**
 * llm-d's weighted scorers with its max-score picker: each scorer gives an engine 0 to 1, and the highest weighted sum
 * is picked, at random among equals. Formulas as in the Gateway API inference extension
 * (`pkg/epp/scheduling/framework/plugins`) and llm-d's inference scheduler (`pkg/plugins/scorer`). What they poll from
 * engines is the proxy's own count here, which is never old; where `signals` are on, the load of other clients is
 * included.
 *
 * - prefix-cache-scorer: share of the prompt's blocks that the engine has.
 * - queue-scorer: 1 for the shortest queue, 0 for the longest, linear between; 1 where all are alike.
 * - kv-cache-utilization-scorer: 1 − share of the KV cache in use.
 * - load-aware-scorer: 0.5 for an empty queue, falling to 0 at the threshold.
 * - session-affinity-scorer: 1 for the session's engine. In llm-d a response header says which that was; here the key's
 * place on the ring does.
 */

import { PrefixIndex } from "../prefix-cache/prefix-index.ts";
import { blocksMax, kvTokens } from "./shared/common-options.ts";
import { definePolicy } from "./shared/define-policy.ts";
import { HashRing } from "./shared/hash-ring.ts";
import { integer, number, template, type ValuesOf } from "./shared/options.ts";
import type { Candidates, PickRequest, Policy, PolicyDeps } from "./shared/policy.ts";
import { TieBreaker } from "./shared/tie-breaker.ts";

const scorer = (name: string, weight: number, more = "") =>
  number({ min: 0, default: weight, about: `Weight of \`${name}\`${more}.` });

const options = {
  prefixWeight: scorer("prefix-cache-scorer", 3),
  queueWeight: scorer("queue-scorer", 2),
  kvWeight: scorer("kv-cache-utilization-scorer", 2),
  loadWeight: scorer("load-aware-scorer", 0),
  sessionWeight: scorer("session-affinity-scorer", 0, ", which goes by `key`"),
  key: template({ default: "$http_x_session_token", about: "Template that names the session." }),
  loadThreshold: integer({
    min: 1,
    default: 128,
    unit: "requests",
    about: "Requests at which `load-aware-scorer` gives 0.",
  }),
  kvTokens,
  blocksMax,
};

type Options = ValuesOf<typeof options>;

export const llmD = definePolicy({
  name: "llm_d",
  summary: "Highest weighted sum of scorers: prefix cache, queue, KV cache, load, session.",
  when: "comparing with llm-d",
  source: "llm-d",
  notes:
    "After the scorers of `gateway-api-inference-extension` " +
    "(`pkg/epp/scheduling/framework/plugins`) and `llm-d-inference-scheduler` " +
    "(`pkg/plugins/scorer`), with the max-score picker: at random among equals. Weights 3 " +
    "(prefix), 2 (queue) and 2 (KV cache) are those of llm-d's guides; its P/D sample " +
    "(`deploy/config/pd-epp-config.yaml`) has 2, 1 and 0. `load-aware-scorer` (threshold " +
    "128) and `session-affinity-scorer` are off until they get a weight. The queue is " +
    "requests in flight. Use of the KV cache is tokens in flight of `kvTokens`, 500,000 as " +
    "its source reckons for an 8B model on 80 GB. All blocks of a prompt count, not the " +
    "first 256 only. A session's engine is found on the ring by `key`, where llm-d reads a " +
    "header of an earlier response.",
  options,
  needs: ({ prefixWeight }) => ({ blocks: prefixWeight > 0 }),
  weights: ({ sessionWeight }) => (sessionWeight === 0 ? "exact" : "none"),
  variants: [{ prefixWeight: 1, sessionWeight: 5, loadWeight: 1, kvTokens: 1_000 }],
  create,
});

function create({ pool, random }: PolicyDeps, options: Options): Policy {
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
