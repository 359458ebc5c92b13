/**
 * Queues of other projects before their policies that dispatch at once, for comparison: `POLICY+QUEUE`. A queue sends
 * its first while it is not saturated. What it goes by is exact and current here, which scraped signals are not; none
 * turns a prompt away.
 */
import type { Pool } from "../pool/pool.ts";
import type { Fleet, Outcome } from "./model/fleet.ts";
import type { Placement } from "./placement.ts";

export interface QueueRule {
  /** As published, where the queue is switched on. */
  readonly threshold: number;
  /** Whether no prompt is sent now. */
  isSaturated(pool: Pool, threshold: number): boolean;
  /** The least goes first, and among equals the one that came first. */
  rank(outcome: Outcome, fleet: Fleet): number;
}

/**
 * Dynamo's `--router-queue-threshold`: so many times the tokens of an engine's batch. Off by default; 4 in releases
 * that had it on. With 0 a prompt waits for an engine that has none.
 */
const dynamoThreshold = 4;
/** vLLM's `max_num_batched_tokens` of a server. */
const dynamoBatchTokens = 8192;
/**
 * llm-d's `queueDepthThreshold` of its saturation detector. Its KV threshold has nothing to see: prefill KV is not
 * modelled.
 */
const flowQueueDepth = 5;
const bytesPerToken = 4;

/** Every engine has more uncached prompt tokens in flight than the threshold. */
function isDynamoBusy({ engines, board }: Pool, threshold: number): boolean {
  const most = threshold * dynamoBatchTokens * bytesPerToken;
  return engines.every(({ slot }) => board.uncachedBytes(slot) > most);
}

/** Engines have as many prompts waiting as the threshold, on average. */
function isFlowSaturated({ engines, board }: Pool, threshold: number): boolean {
  let waiting = 0;
  for (const { slot } of engines) waiting += Math.max(0, board.inFlight(slot) - 1);
  return waiting >= threshold * engines.length;
}

const dynamoQueue = (rank: QueueRule["rank"]): QueueRule => ({
  threshold: dynamoThreshold,
  isSaturated: isDynamoBusy,
  rank,
});

const queues: ReadonlyMap<string, QueueRule> = new Map([
  ["dynamo_fcfs", dynamoQueue(() => 0)],
  // Weighted shortest processing time: the fewest uncached tokens, as they are when the prompt comes.
  ["dynamo_wspt", dynamoQueue(leastUncached)],
  ["dynamo_lcfs", dynamoQueue(({ arrivedMs }) => -arrivedMs)],
  ["llm_d_flow", { threshold: flowQueueDepth, isSaturated: isFlowSaturated, rank: () => 0 }],
]);

export const queueNames: readonly string[] = [...queues.keys()];

function leastUncached({ request }: Outcome, { prefills }: Fleet): number {
  const cached = prefills.map((engine) => engine.cachedTokens(request));
  return request.inputTokens - Math.max(...cached);
}

/** `dynamo+dynamo_fcfs` → a policy and its queue, which is undefined where there is none. */
export function splitQueue(text: string): readonly [policy: string, queue: string | undefined] {
  const at = text.lastIndexOf("+");
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** Of `dynamo_wspt`, or with another threshold of `dynamo_wspt:2`; undefined = there is no such queue. */
export function parseQueue(text: string): QueueRule | undefined {
  const [, name = "", threshold] = /^(\w+)(?::(\d+(?:\.\d+)?))?$/.exec(text) ?? [];
  const rule = queues.get(name);
  if (rule === undefined || threshold === undefined) return rule;
  return { ...rule, threshold: Number(threshold) };
}

/** @param sent what dispatches a prompt that its queue has let go */
export function queued(text: string, pool: Pool, fleet: Fleet, sent: Placement): Placement {
  const rule = parseQueue(text);
  if (rule === undefined) throw new Error(`unknown queue "${text}"`);
  const waiting: { outcome: Outcome; rank: number; prefilled: () => void }[] = [];
  const release = () => {
    while (waiting.length > 0 && !rule.isSaturated(pool, rule.threshold)) {
      const { outcome, prefilled } = waiting.shift()!;
      sent.arrive(outcome, () => {
        release();
        prefilled();
      });
    }
  };
  return {
    arrive(outcome, prefilled) {
      const rank = rule.rank(outcome, fleet);
      let low = 0;
      let high = waiting.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (waiting[middle]!.rank <= rank) low = middle + 1;
        else high = middle;
      }
      waiting.splice(low, 0, { outcome, rank, prefilled });
      release();
    },
  };
}
