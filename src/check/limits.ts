/** Bounds of `global-proxy check`. */

/**
 * `check`: engines of one role, pairs through which KV caches are transferred (each engine is in one, whatever their
 * number), pairs that are compared with a direct request and from which clients leave, bytes of one response.
 */
export const checkedEnginesMax = 64;
export const checkedPairsMax = 16;
export const comparedPairsMax = 4;
export const checkResponseBytesMax = 8_388_608;
/** Bytes of a fresh prompt: several blocks of any engine's KV cache. And tokens of a response, at most. */
export const checkPromptBytes = 1_600;
export const checkTokensMax = 64;
/** Requests by which latency is measured, and the offset of clocks that is no rounding of the `Date` header. */
export const latencyRequests = 5;
export const clockOffsetMsMax = 3_000;
/** How long an engine's counters may lag behind its response, and how often they are read meanwhile. */
export const countersLagMs = 3_000;
export const countersAgainMs = 250;
