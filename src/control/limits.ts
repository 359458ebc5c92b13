/** Bounds of the main thread that an operator does not set: questions to engines, their sources, workers, upgrades. */

/**
 * What is asked of engines while they run: how often, how long for an answer, how many at once, how large an answer
 * (lists of models are the largest: vLLM says some 600 bytes of each).
 */
export const probeIntervalMs = 1_000;
export const probeTimeoutMs = 2_000;
/**
 * How long the questions may take that follow the first one to an engine whose dialect is to be found: vLLM's first
 * `/server_info` took 14 s on a busy machine.
 */
export const detectionTimeoutMs = 30_000;
export const probesAtOnceMax = 32;
export const probeResponseBytesMax = 16_777_216;
/** So many probes in a row without an answer, and what was found out before is forgotten. */
export const probeFailuresMax = 3;
/** What engines serve without is asked in every so many rounds once it is known: engines log each request. */
export const optionalProbeRounds = 5;
/**
 * So many polls in a row in which an engine says that nothing is there, though something is, and its load signal counts
 * as dead.
 */
export const zeroPollsMax = 10;
/** Engines that one address may register. */
export const registeredEnginesMax = 4_096;
/** A time-out of theirs that is late by so much shows that the process did not get to run. */
export const registrationLateMsMin = 50;
/**
 * The listener for operators: connections, requests of one at a time, time for a request to come, bytes of a piece of
 * a response and time for its client to take it, and time for a worker to say what it is asked.
 */
export const adminConnectionsMax = 64;
export const adminPipelinedMax = 8;
export const adminRequestTimeoutMs = 5_000;
export const adminPieceBytes = 65_536;
export const adminSendTimeoutMs = 10_000;
export const adminHeadBytesMax = 16_384;
/** Bytes of a request's body there, and of the token. */
export const adminBodyBytesMax = 1_048_576;
export const secretBytesMax = 4_096;
/** Broadcasts to engines: at one time, engines asked at once, longest wait for one, bytes read and shown of each. */
export const broadcastsMax = 4;
export const broadcastAtOnce = 16;
export const broadcastTimeoutMsMax = 600_000;
export const broadcastReadBytesMax = 1_048_576;
export const broadcastResponseBytesMax = 65_536;
/** Each engine has so long to respond when a client asks for omni_proxy's report of health. */
export const omniHealthTimeoutMs = 1_000;
/** Models and adapters that pages name of each engine, and of one alone. */
export const engineModelsMax = 32;
export const oneEngineModelsMax = 1_024;
/** Changes of the configuration that one response lists. */
export const configChangesMax = 1_000;
/** Requests that were let in before the listener moved have so long to be responded to. */
export const adminCloseDelayMs = 2_000;
export const workerResponseTimeoutMs = 1_000;
/**
 * Workers: one that gives no sign of life for so long hangs, by so many looks in a row, and is ended; if that takes too
 * long, too, the process ends. If the process has had less than this share of that time on the CPU, the worker has so
 * many times as long. One that died is started again after a delay that doubles up to its bound, and starts
 * over once a worker has lived for so long.
 */
export const workerHangMs = 10_000;
export const workerLooksPerHang = 10;
export const workerHangCpuShare = 0.5;
export const workerWaitFactor = 6;
export const workerKillTimeoutMs = 5_000;
export const workerRestartDelayMs = 100;
export const workerRestartDelayMaxMs = 10_000;
export const workerHealthyMs = 60_000;
/** How long a worker may take to apply a configuration, and to close everything before it is terminated. */
export const workerApplyTimeoutMs = 30_000;
export const workerStopTimeoutMs = 2_000;
/**
 * An upgrade: how long the new process may take to serve, and workers to say which sockets they have; how often whoever
 * waits for the upgrade looks, and how long it waits for the start.
 */
export const upgradeTimeoutMs = 60_000;
export const upgradeSocketsTimeoutMs = 10_000;
export const upgradeLookMs = 50;
export const upgradeStartTimeoutMs = 15_000;
/** How long the first change of a pool's engines waits for others, so that they are applied together. */
export const discoveryDelayMs = 100;
/** A problem of a source is logged again after so long, and each source logs so many in a minute. */
export const complaintAgainMs = 600_000;
export const complaintsPerMinuteMax = 6;
/** Files that are read while the proxy runs: those that list engines, and those with keys of clients. */
export const engineFileBytesMax = 8_388_608;
export const keyFileBytesMax = 16_777_216;
/**
 * Keys of an issuer of tokens, from its address: time for an answer, its bytes, how long they are used (by its
 * `max-age`, within these bounds, or by default), and how often it is asked for a key that nobody knows.
 */
export const issuerTimeoutMs = 5_000;
export const issuerKeySetBytesMax = 1_048_576;
export const issuerKeysMsMin = 30_000;
export const issuerKeysMsMax = 3_600_000;
export const issuerKeysMsDefault = 600_000;
export const issuerAgainMs = 5_000;
/** For how long such a file must not have changed before it is read, and how often it is looked at without a notice. */
export const watchedFileQuietMs = 100;
export const watchedFileUnquietMsMax = 2_000;
export const keyFilePollMs = 5_000;
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
/**
 * The dashboard: how often a point of its history is taken and how many are kept; over how long rates and quantiles of
 * a point are; minutes in which outcomes are counted; changes that are listed; after how long without a failure the
 * next ones count as others.
 */
export const dashboardPointMs = 1_000;
export const historyPointsMax = 900;
export const dashboardRateMs = 5_000;
export const dashboardQuantileMs = 15_000;
export const outcomeMinutes = 15;
export const listedChangesMax = 100;
export const burstQuietMs = 60_000;
/** Pages that are told at one time; bytes that one may leave unread before it is dropped. */
export const dashboardReadersMax = 16;
export const dashboardPendingBytesMax = 4_194_304;
/** Every so many points what changes slowly is asked of workers. */
export const dashboardSlowPoints = 5;
/** How often other free ports are chosen, if another program has bound the first ones meanwhile. */
export const freePortTriesMax = 5;
/** How long the end of the process waits for the collector of traces. */
export const flushSpansTimeoutMs = 2_000;
/** Bytes of a file of certificates: all issuers that browsers trust have 220,000. */
export const certificateFileBytesMax = 4_194_304;
