/** Bounds of the sources of engines, and of engines that leave. */

/** How long the first change of a pool's engines waits for others, so that they are applied together. */
export const discoveryDelayMs = 100;
/** A problem of a source is logged again after so long, and each source logs so many in a minute. */
export const complaintAgainMs = 600_000;
export const complaintsPerMinuteMax = 6;
/** A file that lists engines: its size, and for how long it must not have changed before it is read. */
export const engineFileBytesMax = 8_388_608;
export const engineFileQuietMs = 100;
export const engineFileUnquietMsMax = 2_000;
/** A question to a name server: how long each try has, and how many there are. */
export const dnsTimeoutMs = 2_000;
export const dnsTriesMax = 2;
/** All questions of one answer together. */
export const dnsAnswerMsMax = 10_000;
/** Targets of SRV records whose addresses are asked for, and how many at a time. */
export const dnsTargetsMax = 1_024;
export const dnsAtOnceMax = 8;
/** Without an answer the name is asked for again after `minMs`, then after twice that, up to this. */
export const dnsRetryMaxMs = 30_000;
/**
 * Engines that leave their pool: how often it is looked whether they have nothing in flight any more, and after how
 * long they are forgotten all the same. Their requests go on.
 */
export const leavingLookMs = 500;
export const leavingMsMax = 3_600_000;
