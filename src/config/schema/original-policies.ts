/** What an operator can say of the original's policies: `src/policies/` by the same names. */
import { z } from "zod";

const role = z
  .enum(["prefill", "decode"])
  .default("prefill")
  .describe("What the pool's engines do.");

const batchSize = z.int().min(1).max(65_535).describe("Requests that an engine takes at a time.");

const greedyTimeout = z
  .strictObject({
    name: z.literal("greedy_timeout"),
    warmup: z.number().min(0).max(1e6).default(5).describe("Of each prompt, in ms."),
    exp: z
      .number()
      .min(0)
      .max(4)
      .default(1.8)
      .describe("A prompt of so many kilobytes takes as many ms, to this power."),
  })
  .describe("The engine that is expected to be done first with all it was given.");

const prefillScoreBalance = z
  .strictObject({
    name: z.literal("prefill_score_balance"),
    tokenMs: z.number().min(0).default(0.0345).describe("Prefill time of a token, in ms."),
    requestMs: z.number().min(0).default(120.0745).describe("The same of a request, in ms."),
  })
  .describe("Where the sum of all predicted response times grows least.");

const weightedLeastActive = z
  .strictObject({ name: z.literal("weighted_least_active") })
  .describe("Fewest requests in flight, then fewest tokens resident. For decode.");

const pdScoreBalance = z
  .strictObject({
    name: z.literal("pd_score_balance"),
    role,
    decodeReqLimit: z
      .int()
      .min(0)
      .default(0)
      .describe("As in release 2508: requests beyond which a decode engine has no room. 0 = none."),
    maxNumSeqs: z
      .int()
      .min(1)
      .optional()
      .describe("As in release 2603: the same, for either role. Asks for that release's meaning."),
  })
  .describe(
    "Prefill: fewest bytes in flight. Decode: the same, looking ahead to the prompts that are in prefill (LPT).",
  );

const leastTotalLoad = z
  .strictObject({
    name: z.literal("least_total_load"),
    batchSize: batchSize.default(16),
  })
  .describe("Fewest bytes in flight, times the rounds that they take.");

const autoBalanceController = z
  .strictObject({
    name: z.literal("auto_balance_controller"),
    batchSize: batchSize.default(24),
  })
  .describe("Fewest bytes in flight while some engine's batch has room, then fewest requests.");

const prefixCacheAffinity = z
  .strictObject({
    name: z.literal("prefix_cache_affinity"),
    batchSize: batchSize.default(16),
    dictSize: z
      .int()
      .min(1)
      .max(1 << 24)
      .default(10_000)
      .describe("Blocks of prompts that are remembered per engine and worker."),
    blockBytes: z
      .int()
      .min(1)
      .max(65_536)
      .default(640)
      .describe("Of one such block. Prompts are compared in blocks of 2 KiB, whatever it is."),
  })
  .describe(
    "Least total load of the engines that had the longest part of the prompt's beginning, while loads are even.",
  );

const staticBucket = z
  .strictObject({
    name: z.literal("static_bucket"),
    bounds: z
      .array(z.int().min(1).max(Number.MAX_SAFE_INTEGER))
      .min(1)
      .max(64)
      .default([12_000])
      .describe("In bytes. Engines are shared out to the buckets in their order."),
  })
  .describe("Engines in buckets by the prompt's length, with fixed bounds.");

const dynamicBucket = z
  .strictObject({
    name: z.literal("dynamic_bucket"),
    buckets: z.int().min(1).max(64).default(2),
    alpha: z
      .number()
      .min(0)
      .max(1)
      .default(0.9)
      .describe("Weight of the present load against the one before."),
  })
  .describe(
    "Engines in buckets by the prompt's length, with bounds that give each as many bytes in flight.",
  );

const omniProxy = z
  .strictObject({
    name: z.literal("omni_proxy"),
    role,
    algo: z
      .enum(["default", "earliest_batch"])
      .default("default")
      .describe("For prefill: by the longest cached prefix, or by when its batch would end."),
    maxBatchNumToken: z
      .int()
      .min(1)
      .default(32_000)
      .describe("Tokens in flight beyond which a prefill engine has no room."),
    maxNumSeqs: z
      .int()
      .min(1)
      .default(32)
      .describe("Requests beyond which an engine has no room. `maxConns` really bounds them."),
    blocksMax: z
      .int()
      .min(64)
      .max(1 << 22)
      .default(1 << 16)
      .describe("Blocks of prompts (2 KiB each) that are remembered per engine and worker."),
  })
  .describe("The original's successor: cached prefix, then fewest tokens in flight.");

export const originalPolicies = [
  greedyTimeout,
  prefillScoreBalance,
  weightedLeastActive,
  pdScoreBalance,
  leastTotalLoad,
  autoBalanceController,
  prefixCacheAffinity,
  staticBucket,
  dynamicBucket,
  omniProxy,
] as const;
