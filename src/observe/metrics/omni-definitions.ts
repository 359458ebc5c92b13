/** Gauges of omni_proxy, by its names, for routes whose page is `omni_metrics`. */
import { conventional } from "./definition.ts";

const byEndpoint = ["endpoint", "role"] as const;

export const omniMetrics = {
  prefillRequests: conventional(
    "omni_prefill_running_requests",
    "gauge",
    byEndpoint,
    "Requests at the prefill engine.",
  ),
  prefillTokens: conventional(
    "omni_prefill_num_tokens",
    "gauge",
    byEndpoint,
    "Tokens of the prompts at the prefill engine.",
  ),
  decodeRequests: conventional(
    "omni_decode_running_requests",
    "gauge",
    byEndpoint,
    "Requests at the decode engine.",
  ),
  decodeTokens: conventional(
    "omni_decode_num_tokens",
    "gauge",
    byEndpoint,
    "Tokens of the prompts and the responses so far at the decode engine.",
  ),
  phases: conventional(
    "omni_phase_waiting",
    "gauge",
    ["phase"],
    "Requests in each phase: those that wait for an engine, and those at engines.",
  ),
} as const;

/** Phases that a request can be seen in here; the others pass at once, and are 0. */
export const omniPhases = [
  "PHASE_TOKENIZING",
  "PHASE_APC_MATCHING",
  "PHASE_PREFILL_WAITING_SCHEDULE",
  "PHASE_PREFILL_SCHEDULED",
  "PHASE_PREFILLING",
  "PHASE_DECODE_WAITING_SCHEDULE",
  "PHASE_DECODE_SCHEDULED",
  "PHASE_DECODING",
] as const;
