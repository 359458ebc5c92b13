/** Metrics of each engine, from the scoreboard that all workers share. */
import { counter, gauge } from "./definition.ts";

const byEngine = ["pool", "engine"] as const;

export const engineMetrics = {
  up: gauge(
    "engine_up",
    byEngine,
    "1 if the engine takes requests, also if it is full at the moment.",
  ),
  state: gauge(
    "engine_state",
    [...byEngine, "state"],
    "1 for the state of the engine, 0 for the others (docs/discovery.md).",
  ),
  weight: gauge("engine_weight", byEngine, "Weight as configured; lower during slow start."),
  inFlight: gauge("engine_requests_in_flight", byEngine, "Requests of this proxy at the engine."),
  promptBytes: gauge(
    "engine_prompt_in_flight_bytes",
    byEngine,
    "Bytes of the prompts at the engine.",
  ),
  promptTokens: gauge(
    "engine_prompt_in_flight_tokens",
    byEngine,
    "Tokens of the prompts at the engine, estimated from their bytes.",
  ),
  responseTokens: gauge(
    "engine_response_in_flight_tokens",
    byEngine,
    "Tokens generated so far in the responses that are being decoded there.",
  ),
  firstByte: gauge(
    "engine_first_byte_seconds",
    byEngine,
    "Moving average of the time from sending a request to the head of its response.",
  ),
  service: gauge(
    "engine_service_seconds",
    byEngine,
    "Moving average of the time from sending a request to the last byte of its response.",
  ),
  countedFailures: gauge(
    "engine_counted_failures",
    byEngine,
    "Failures in a row, or those that count towards max_fails.",
  ),
  signalLive: gauge(
    "engine_signal_live",
    byEngine,
    "1 if the engine reports its load, 0 if it is polled and does not.",
  ),
  externalRequests: gauge(
    "engine_external_requests",
    byEngine,
    "Requests at the engine that are not this proxy's: its reported load minus requests in flight.",
  ),
  kvUsage: gauge(
    "engine_kv_usage_ratio",
    byEngine,
    "Share of the engine's KV cache in use, from 0 to 1, as it reports it.",
  ),
  cacheKnowledge: gauge(
    "engine_cache_knowledge",
    [...byEngine, "state"],
    "1 for the state of knowledge about what the engine has cached: exact, approximate or blind, if that is used.",
  ),
  ejected: gauge("engine_ejected", byEngine, "1 if the engine is ejected now."),
  ejections: counter(
    "engine_ejections",
    [...byEngine, "cause"],
    "Ejections of the engine, by cause.",
  ),
  picks: counter("engine_picks", byEngine, "Requests that the engine was picked for."),
  pickedBytes: counter(
    "engine_picked_prompt_bytes",
    byEngine,
    "Bytes of the prompts that the engine was picked for.",
  ),
  requests: counter(
    "engine_requests",
    [...byEngine, "leg", "status"],
    "Requests to the engine that are over, by leg and class of the status; none = no head of a response has come.",
  ),
  failures: counter(
    "engine_failures",
    [...byEngine, "leg", "cause"],
    "Requests to the engine that have failed: connection, time-out, invalid response, no file descriptor here.",
  ),
  reportedPromptTokens: counter(
    "engine_prefilled_prompt_tokens",
    byEngine,
    "Tokens of prompts whose prefill has told its usage, in pools that predict what is cached.",
  ),
  cachedTokens: counter(
    "engine_prefilled_cached_tokens",
    [...byEngine, "source"],
    "Of these, tokens that the engine had cached: as it says (reported), as the pool had predicted (predicted).",
  ),
  kvOpen: gauge(
    "kv_obligations_open",
    byEngine,
    "Prefills whose KV cache is neither fetched by decode nor freed yet.",
  ),
  kvOldestAge: gauge(
    "kv_obligation_oldest_age_seconds",
    byEngine,
    "Age of the oldest open KV obligation; 0 = none is open.",
  ),
  kvEnded: counter(
    "kv_obligations",
    [...byEngine, "end"],
    "KV obligations that have ended: taken = fetched by decode, released_… = freed, empty, leaked.",
  ),
  kvMissing: counter(
    "kv_transfers_missing",
    byEngine,
    "Prefills that named no KV cache where the dialect has them do so: decode computes the prompt again.",
  ),
} as const;
