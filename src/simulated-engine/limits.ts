/** The bounds of an engine that no option sets. */

/** Largest request body. */
export const bodyBytesMax = 67_108_864;
/** Largest request head. */
export const headBytesMax = 65_536;
/** Requests in the engine at a time; more are rejected with 503. */
export const requestsMax = 65_536;
/** Prompts whose KV the engine holds for others; beyond that, the oldest is evicted. */
export const kvEntriesMax = 65_536;
/** Tokens for which the engine has KV, for `vllm:kv_cache_usage_perc`. */
export const kvCapacityTokens = 4_194_304;
/** Choices of one request, over all its prompts. */
export const choicesMax = 1_024;
/** Responses of `/v1/responses` that are stored; beyond that, the oldest is dropped. */
export const storedResponsesMax = 4_096;
/** Request ids that `/debug/state` shows. */
export const requestIdsMax = 1_000;
/** Requests that `/debug/requests` shows, and how much of each body. */
export const recordedRequestsMax = 64;
export const recordedBodyBytesMax = 16_384;
/** How long an engine waits for another's response, unless its protocol says otherwise. */
export const peerTimeoutMs = 60_000;
/** Protocol violations whose text `/debug/state` shows. */
export const violationTextsMax = 100;
/** Ids of KV entries and of waits that `/debug/state` shows. */
export const namesShownMax = 100;
/** KV bytes per token in `/debug/state`: what an 8-billion model with grouped-query attention needs. */
export const kvBytesPerToken = 131_072;
