/** What an operator can say of each policy: one entry per policy in `src/policies/`, by the same name. */
import { z } from "zod";
import { originalPolicies } from "./original-policies.ts";
import { queueOrder } from "./queue.ts";

const roundRobin = z
  .strictObject({ name: z.literal("round_robin") })
  .describe("In turn, smoothly weighted, as nginx does by default.");

const leastConn = z
  .strictObject({ name: z.literal("least_conn") })
  .describe("Fewest requests in flight for its weight.");

const leastBytes = z
  .strictObject({ name: z.literal("least_bytes") })
  .describe("Fewest bytes of prompts in flight for its weight.");

const leastKv = z
  .strictObject({
    name: z.literal("least_kv"),
    kvTokens: z
      .int()
      .min(1)
      .default(500_000)
      .describe("Tokens that an engine's KV cache holds, where engines tell the share in use."),
    requestTokens: z
      .int()
      .min(0)
      .default(1_000)
      .describe(
        "Tokens that a request counts as beside its own: a step takes longer for each, whatever its length.",
      ),
  })
  .describe("Fewest tokens in the KV cache for its weight: prompts, and their answers so far.");

const random = z
  .strictObject({
    name: z.literal("random"),
    two: z.boolean().default(false).describe("Draw two and take the less loaded."),
  })
  .describe("At random, by weight.");

const ipHash = z
  .strictObject({ name: z.literal("ip_hash") })
  .describe("By the client's address, as nginx hashes it.");

const hash = z
  .strictObject({
    name: z.literal("hash"),
    key: z.string().min(1).describe("Template, such as `$http_x_session_id`."),
    consistent: z
      .boolean()
      .default(false)
      .describe("Ketama ring: few keys move when engines change."),
  })
  .describe("By a key of the request.");

const lengthBalance = z
  .strictObject({
    name: z.literal("length_balance"),
    mergeThreshold: z
      .int()
      .min(1)
      .default(32)
      .describe("Requests between two merges of the recent load into the decayed total."),
    requestLengthWeight: z.number().min(0).default(1).describe("Weight of bytes against requests."),
    decayFactor: z.int().min(1).default(2).describe("The total is divided by this at each merge."),
  })
  .describe("Least decayed history of assigned bytes and requests.");

const blocksMax = z
  .int()
  .min(64)
  .max(1 << 22)
  .default(1 << 16)
  .describe("Blocks of prompts (2 KiB each) that are remembered per engine and worker.");

const cacheAware = z
  .strictObject({
    name: z.literal("cache_aware"),
    cacheThreshold: z
      .number()
      .min(0)
      .max(1)
      .default(0.3)
      .describe("Share of a prompt that an engine must have for it to be preferred."),
    balanceAbsolute: z
      .number()
      .min(0)
      .default(64)
      .describe("Loads are uneven when they differ by more requests than this, and"),
    balanceRelative: z.number().min(1).default(1.5).describe("by more than this factor."),
    blocksMax,
  })
  .describe("SMG's: the engine with most of the prompt in its cache, while loads are even.");

const powerOfTwo = z
  .strictObject({
    name: z.literal("power_of_two"),
    by: z
      .enum(["bytes", "requests"])
      .default("bytes")
      .describe("The load: bytes of prompts in flight, or requests."),
  })
  .describe("SMG's: the less loaded of two that are drawn.");

const sessionAffinity = z
  .strictObject({
    name: z.literal("session_affinity"),
    keys: z
      .array(z.string().min(1))
      .min(1)
      .default(["$http_x_session_id", "$body_prompt_cache_key", "$body_user"])
      .describe("Templates, of which the first that is not empty names the session."),
    maxLoadSkew: z
      .number()
      .min(0)
      .default(1.5)
      .describe("An engine with more than so many times the mean load is passed over; 0 = never."),
  })
  .describe("A session stays with its engine, by a ring with bounded load.");

const ascendHeap = z
  .strictObject({
    name: z.literal("ascend_heap"),
    role: z
      .enum(["prefill", "decode"])
      .default("prefill")
      .describe("Which of its scores: `bytes / 4 × 0.0345 + 120.0745`, or bytes."),
  })
  .describe("vllm-ascend's: least summed score of the requests in flight.");

const dynamo = z
  .strictObject({
    name: z.literal("dynamo"),
    overlapScoreWeight: z
      .number()
      .min(0)
      .default(1)
      .describe("Weight of prefill blocks against decode blocks."),
    temperature: z
      .number()
      .min(0)
      .default(0)
      .describe("Of the softmax over the costs; 0 = always the least."),
    role: z
      .enum(["prefill", "decode", "both"])
      .default("prefill")
      .describe("What counts: prefill blocks, decode blocks, or their sum where engines do both."),
    blocksMax,
  })
  .describe("NVIDIA Dynamo's cost: uncached prefill blocks and decode blocks.");

const scorerWeight = (weight: number) => z.number().min(0).default(weight);

const llmD = z
  .strictObject({
    name: z.literal("llm_d"),
    prefixWeight: scorerWeight(3).describe("Of `prefix-cache-scorer`."),
    queueWeight: scorerWeight(2).describe("Of `queue-scorer`."),
    kvWeight: scorerWeight(2).describe("Of `kv-cache-utilization-scorer`."),
    loadWeight: scorerWeight(0).describe("Of `load-aware-scorer`."),
    sessionWeight: scorerWeight(0).describe("Of `session-affinity-scorer`, by `key`."),
    key: z.string().min(1).default("$http_x_session_token").describe("Template of the session."),
    loadThreshold: z.int().min(1).default(128).describe("Requests at which `load-aware` gives 0."),
    kvTokens: z
      .int()
      .min(1)
      .default(500_000)
      .describe("Tokens that an engine's KV cache holds, for its utilization."),
    blocksMax,
  })
  .describe("llm-d's weighted scorers: prefix cache, queue, KV cache, load, session.");

const predictedTime = z
  .strictObject({
    name: z.literal("predicted_time"),
    duplicateWeight: z
      .number()
      .min(0)
      .default(3)
      .describe("Weight of work that another engine's cache would save."),
    blocksMax,
  })
  .describe("Least predicted wait and prefill time, what is cached at each engine reckoned in.");

const predictive = z
  .strictObject({
    name: z.literal("predictive"),
    agingFactor: z
      .number()
      .min(0.001)
      .max(10)
      .default(0.1)
      .describe(
        "What a ms of waiting takes off the predicted ms of a prefill. Nothing that comes later than a prompt's predicted prefill divided by this overtakes it.",
      ),
    duplicateWeight: z
      .number()
      .min(0)
      .default(1)
      .describe(
        "Weight of work that another engine's cache would save. It counts once, and once more for each prompt that waits per engine.",
      ),
    blocksMax,
    queueMax: z
      .int()
      .min(1)
      .max(65_536)
      .default(1_024)
      .describe("Prompts that wait, in the whole proxy. More are answered with 503."),
    queueTimeoutMs: z
      .int()
      .min(1)
      .max(86_400_000)
      .default(120_000)
      .describe("Longest wait for a prefill engine; then 503."),
    ttftMaxMs: z
      .int()
      .min(0)
      .max(86_400_000)
      .default(0)
      .describe(
        "A request that would have to wait, and whose predicted TTFT is longer, is refused at once, with 429 and `Retry-After`. 0 = none.",
      ),
    priorityMs: z
      .number()
      .min(0)
      .max(86_400_000)
      .default(1_000)
      .describe("Predicted ms of prefill that one step of priority is worth."),
    ...queueOrder,
  })
  .describe(
    "For prefill: prompts are held, ordered by predicted prefill time, and sent when an engine can take them, by wait, prefill and cache. Where a prompt cannot be held, as `predicted_time`.",
  );

export const policySchema = z.discriminatedUnion("name", [
  roundRobin,
  leastConn,
  leastBytes,
  leastKv,
  random,
  ipHash,
  hash,
  lengthBalance,
  cacheAware,
  predictedTime,
  predictive,
  powerOfTwo,
  sessionAffinity,
  ascendHeap,
  dynamo,
  llmD,
  ...originalPolicies,
]);

export type PolicyConfig = z.output<typeof policySchema>;
export type PolicyName = PolicyConfig["name"];

/** Those that go by what engines have cached. */
export const prefixPolicies: ReadonlySet<PolicyName> = new Set([
  "predictive",
  "predicted_time",
  "cache_aware",
  "dynamo",
  "llm_d",
  "prefix_cache_affinity",
  "omni_proxy",
]);

/** Templates of a policy's key: the first that is not empty is the request's. */
export function keyTemplates(policy: PolicyConfig): readonly string[] {
  if ("keys" in policy) return policy.keys;
  return "key" in policy ? [policy.key] : [];
}
