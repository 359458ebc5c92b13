/** Bounds of the listener for publishers that dial out, beside those of `src/limits.ts`. */

/**
 * Publishers of KV events that connect to the proxy: connections of one address, topics of one connection, publishers
 * that are of no engine and are named in the log; and when an address that cannot be had is tried again, and a host
 * name looked up.
 */
export const kvPublishersMax = 4_096;
export const kvTopicsMax = 64;
export const kvUnknownPublishersMax = 256;
export const kvListenAgainMs = 1_000;
