/** Metrics of clients' requests. Each worker counts them when a request has ended. */
import { durationBuckets, tokenBuckets } from "./buckets.ts";
import { conventional, counter, gauge, histogram } from "./definition.ts";

const byModel = ["route", "model"] as const;

/** Durations of requests, by route and model: a histogram each in a row of shared memory. */
export const requestHistograms = {
  duration: histogram(
    "request_duration_seconds",
    byModel,
    durationBuckets,
    "From the arrival of a generating request to the last byte of a complete response with a status below 400.",
    { vllmName: "vllm:e2e_request_latency_seconds" },
  ),
  firstToken: histogram(
    "time_to_first_token_seconds",
    byModel,
    durationBuckets,
    "From the arrival of a request to the first byte of a streamed response (TTFT).",
    { vllmName: "vllm:time_to_first_token_seconds" },
  ),
  interToken: histogram(
    "inter_token_latency_seconds",
    byModel,
    tokenBuckets,
    "Between two pieces of a streamed response with events (ITL); events that come together count once.",
    { vllmName: "vllm:inter_token_latency_seconds" },
  ),
  perToken: histogram(
    "time_per_output_token_seconds",
    byModel,
    tokenBuckets,
    "Mean time per token of a streamed response after its first one (TPOT).",
    { vllmName: "vllm:time_per_output_token_seconds" },
  ),
  queue: histogram(
    "queue_duration_seconds",
    byModel,
    durationBuckets,
    "What a request has waited in queues of the proxy, in all; only requests that had to enter one.",
    { vllmName: "vllm:request_queue_time_seconds" },
  ),
  prefill: histogram(
    "prefill_duration_seconds",
    byModel,
    durationBuckets,
    "From sending the prefill to the last byte of its response, of the prefill that succeeded.",
    { vllmName: "vllm:request_prefill_time_seconds" },
  ),
  decodeDelay: histogram(
    "decode_send_delay_seconds",
    byModel,
    durationBuckets,
    "From the end of the prefill to sending decode, where decode is sent after it: what the proxy adds itself.",
  ),
  transfer: histogram(
    "kv_transfer_wait_seconds",
    byModel,
    durationBuckets,
    "From the end of the prefill to the first byte of a streamed response: the KV transfer and decode's first step.",
  ),
} as const;

/** Counters by route and model: a number each in the same row, or one for each source. */
export const requestTotals = {
  promptTokens: counter(
    "prompt_tokens",
    [...byModel, "source"],
    "Tokens of prompts, as an engine's usage says (usage), else as the proxy estimates them (estimated).",
    { vllmName: "vllm:prompt_tokens_total" },
  ),
  cachedTokens: counter(
    "cached_prompt_tokens",
    byModel,
    "Tokens of prompts that engines had cached, as their usage says.",
  ),
  outputTokens: counter(
    "output_tokens",
    [...byModel, "source"],
    "Tokens of responses, as the engine's usage says (usage), else as their events were counted (events).",
    { vllmName: "vllm:generation_tokens_total" },
  ),
  fallbacks: counter(
    "fallbacks",
    byModel,
    "Requests whose prompt decode has computed since no prefill could be had (onPrefillFailure: decode_only).",
  ),
  resumes: counter(
    "resumes",
    byModel,
    "Responses that were continued after their decode engine had preempted them or died.",
  ),
} as const;

export const tokenSources = {
  promptTokens: ["usage", "estimated"],
  outputTokens: ["usage", "events"],
} as const;

/** Counters by tenant, where requests have tenants. */
export const tenantMetrics = {
  requests: counter(
    "tenant_requests",
    ["tenant", "outcome"],
    "Requests of tenants that have ended, by outcome; those without a right key have no tenant.",
  ),
  promptTokens: counter(
    "tenant_prompt_tokens",
    ["tenant"],
    "Tokens of prompts of tenants, as engines have counted them.",
  ),
  outputTokens: counter(
    "tenant_output_tokens",
    ["tenant"],
    "Tokens of responses of tenants, as the engine's usage says, else as their events were counted.",
  ),
} as const;

export const requestMetrics = {
  ended: counter(
    "requests",
    [...byModel, "outcome", "status"],
    "Requests that have ended, by outcome (docs/outcomes.md) and status.",
  ),
  ...requestHistograms,
  ...requestTotals,
  retries: counter(
    "retries",
    ["leg", "condition"],
    "Retries, by the leg that had failed and how, as in retry.on.",
  ),
  retriesRefused: counter(
    "retries_refused",
    ["leg"],
    "Failures that were not retried because the retry budget was used up.",
  ),
  beingRetried: gauge(
    "requests_being_retried",
    [],
    "Requests that the retry budget counts as being retried now.",
  ),
  waiting: gauge(
    "waiting_requests",
    ["pool"],
    "Requests that wait for capacity in a pool's queue.",
  ),
} as const;

/** Counters of the original, beside vLLM's names. */
export const originalMetrics = {
  success: conventional(
    "vllm:requests_success_total",
    "counter",
    ["engine", "model_name"],
    "Requests that have ended with a status below 400.",
  ),
  failure: conventional(
    "vllm:requests_failure_total",
    "counter",
    ["engine", "model_name"],
    "Requests that have ended otherwise.",
  ),
} as const;
