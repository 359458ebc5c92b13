/** Bounds that an operator does not set. Those that an operator sets are in `config/schema/schema.ts`. */

/** Keys of clients that all zones of limits together can count: 16 bytes each, and 2 for each worker. */
export const zoneSlotsMax = 1_048_576;
/** Slots among which a key has its place. */
export const zoneSetWays = 16;

/** Engines that one proxy can know at a time, over all pools. One slot of the scoreboard each. */
export const engineSlotsMax = 16_384;
/** Engines that one pool may have, as the configuration and all sources name them. */
export const poolEnginesMax = 4_096;
/** Data-parallel ranks of one engine: a rank is below this. */
export const dpRanksMax = 1024;
/** Lines of a body that begin and end as a JSON object and are none: each costs some µs, and sounds hardly have any. */
export const unreadableLinesMax = 10_000;
/** Forms in which a field is looked for: parts, bytes of the head of one, and of the field. */
export const formPartsMax = 64;
export const formPartHeadBytesMax = 4_096;
export const formFieldBytesMax = 1_024;
/** Pages of the main thread that requests of one worker wait for at a time. */
export const pagesAtOnceMax = 16;
/** Of the first message of a TLS client, which is kept until it is complete; usual ones have 500 to 2,000. */
export const clientHelloBytesMax = 32_768;
/** Bytes that a client may send ahead (pipelining) while a request is being answered; then reading pauses. */
export const pipelinedBytesMax = 65_536;
/** Bytes waiting for a slow client before its engine is no longer read. */
export const relayPendingBytesMax = 262_144;
/**
 * The same over all clients of a worker. From a quarter of it on, each client may have less; above it, those that read
 * slowest are given up, since an engine may have been read once more before it was paused.
 */
export const relayPendingTotalBytesMax = 134_217_728;
/**
 * Bytes that Node reads before timers have a turn; each socket that is read once more then waits, and so many of them
 * go on per turn.
 */
export const readTurnBytesMax = 4_194_304;
export const readTurnSocketsMax = 64;
/**
 * Bodies of requests: up to so many bytes they are kept as they came, larger ones are copied together, in memory of so
 * many times what has come.
 */
export const bodyUnassembledBytesMax = 262_144;
export const bodyReserveFactor = 8;
/**
 * Memory is given back once so many bytes are garbage and no more has become garbage for so long; at once if it is
 * more.
 */
export const reclaimBytesMin = 16_777_216;
export const reclaimBytesMax = 134_217_728;
export const reclaimQuietMs = 3_000;
/**
 * What a client's connection and its engine's take beside bytes of requests and responses: sockets and their state, and
 * what is free between them (on Node 47 KiB by the peak of one run with 5,000 clients). And what a runtime
 * lets lie before it collects garbage. V8 collects after a few 10 MiB of buffers; JavaScriptCore once the heap with its
 * buffers has doubled (`smallHeapGrowthFactor`), so garbage can be as much as what is in use, which is bodies of
 * `bodyBytesTotalMax`. For the formula of docs/operations.md, which `npm run test:memory` holds.
 */
export const connectionBytesUsual = 65_536;
export const garbageBytesUsual = { node: 268_435_456, bun: 1_073_741_824 } as const;
/**
 * Largest answer that is held back until it is complete, so that another engine can still be tried. All answers that
 * are held back count in the configuration's `bodyBytesTotalMax`, as bodies of requests do.
 */
export const bufferedResponseBytesMax = 1_048_576;
/** Longest first event of a stream that is looked at before anything of the stream is sent. */
export const firstEventBytesMax = 65_536;
/** Largest answer in one piece in which what only the prefill engine knows is put in; a larger one stays as it is. */
export const filteredResponseBytesMax = 16_777_216;
/** The same for one event of a stream, and for one that carries the log-probabilities of a prompt. */
export const usualEventBytesMax = 65_536;
export const largeEventBytesMax = 16_777_216;
/** How often a decode engine may give one request up to have it continued. */
export const continuationsMax = 16;
/** How often a request goes back to the queue that it has left, as its place was gone when it came to it. */
export const waitsAgainMax = 3;
/** Largest text that is continued. */
export const continuedBytesMax = 4_194_304;
/** Call-backs of decode engines: what all calls of one round may say, callers that wait, connections of one worker. */
export const callbackBytesMax = 4_194_304;
export const callbackCallersMax = 4_096;
export const callbackConnectionsMax = 65_536;
/** Largest head of a call-back, and how long it may take to arrive, or the next one to come. */
export const callbackHeadBytesMax = 16_384;
export const callbackTimeoutMs = 30_000;
/** Prompts of one request for each of which decode calls back. */
export const calledPromptsMax = 1_024;
/** Sequences of one request whose KV cache is transferred through a room each, prompts times choices. */
export const bootstrapRoomsMax = 1_024;
/** Images, sounds and videos of one request that are encoded, and how many of them at once. */
export const encodedItemsMax = 256;
export const encodesAtOnceMax = 16;
/** What one counts as in a prompt, as if it were text: about 1,000 tokens, which Qwen2.5-VL makes of a megapixel. */
export const encodedItemBytes = 4_096;
/**
 * KV caches that one worker frees at once after their requests have ended; how long the response of a prefill that is
 * given up may take to come, and how long a request that frees one has to be sent and to begin its response; and how
 * many engines are tried.
 */
export const kvReleasesAtOnceMax = 4_096;
export const kvDrainTimeoutMs = 5_000;
export const kvReleaseTimeoutMs = 10_000;
export const kvReleaseTriesMax = 2;
/** How long an error of decode waits for a prefill that is under way, and may be the reason of it. */
export const decodeErrorGraceMs = 1_000;
/** Largest answer of a prefill engine, and of an encode engine. */
export const prefillResponseBytesMax = 16_777_216;
/** Largest response head of an engine. */
export const responseHeadBytesMax = 65_536;
/** Lines in the head of a request. */
export const requestFieldsMax = 256;
/** Rewrites that lead to another location, per request; nginx's bound. */
export const rewriteRoundsMax = 10;
/** Error pages of one request, where errors of pages have pages, too; nginx's bound. */
export const errorPagesMax = 10;
/** Of a file that is read at a time, for one response. */
export const filePieceBytes = 65_536;
/** How long, and how much, is still read from a client that was refused while it was sending. */
export const lingerTimeoutMs = 5_000;
export const lingerBytesMax = 16_777_216;
/** How long an engine that responds with 429 or 503 is passed over: without a `Retry-After`, and at most. */
export const backpressureMs = 1_000;
export const backpressureMaxMs = 60_000;
/**
 * File descriptors: those that the process keeps for itself (logs, listeners, admin pages, polls of engines), at most
 * half of all; and those of a client, with the engine's connection that it waits for.
 */
export const descriptorsReserved = 96;
export const descriptorsPerClient = 2;
/** With fewer client connections for each worker than this, a limit of descriptors is a warning: it is hardly meant. */
export const fewConnections = 1024;
/**
 * Those that each worker keeps for the case that no other is left; how many have to be free before clients are accepted
 * again, and in how many ticks it looks for them.
 */
export const descriptorsKept = 4;
export const descriptorsFreeAgain = 20;
export const descriptorsLookAgainTicks = 10;
/** How often a client whose rate is limited gets more; time-outs are late by a tick. */
export const paceMs = 100;
/** Tick of all time-outs: one may be late by as much. A tick that is late itself counts for so long at most. */
export const deadlineTickMs = 100;
export const tickCountedMsMax = 1_000;
/**
 * One block of a prompt, for policies that look at prefixes: about as many tokens as an engine's cache goes by, times
 * 32.
 */
export const promptBlockBytes = 2_048;
/** Blocks of one prompt that are looked at. */
export const promptBlocksMax = 2_048;
/** Blocks that one worker remembers of the caches of all engines of a pool: up to 100 bytes each. */
export const prefixBlocksMax = 4_194_304;
/** Prompts in flight that one worker lists one by one, for policies that look at each. */
export const listedPromptsMax = 2_048;
/** Of these, what one decision of pd_score_balance looks at. */
export const foreseenPromptsMax = 512;
/** Longest value of a body's member that a variable (`$body_user`) holds; a longer one is empty. */
export const bodyVariableBytesMax = 1_024;
/** Characters of what a client has written, such as its target, in JSON logs and in traces. */
export const shownTextCharsMax = 2_048;
/** Copies up to this size are cheaper than a second write to the socket. */
export const joinBytesMax = 131_072;
/**
 * One frame from a ZeroMQ peer, parts of one message, connections, and how long one may say nothing: engines ping every
 * 3 s.
 */
export const zmtpFrameBytesMax = 8_192;
export const zmtpPartsMax = 8;
export const zmtpConnectionsMax = 16_384;
export const zmtpIdleTimeoutMs = 60_000;
/** `/v1/models` of several engines: how many are asked, how long they have, and how much each may say. */
export const listedEnginesMax = 64;
export const listTimeoutMs = 3_000;
export const listBytesMax = 1_048_576;
/** Models and adapters that one engine may list: how many, and characters of a name and of what is said of each. */
export const listedModelsMax = 16_384;
export const modelNameCharsMax = 256;
export const modelCardCharsMax = 4_096;
/** Connections to ZeroMQ peers: time for one to greet, and waits before another try, which double up to the bound. */
export const zmtpHandshakeTimeoutMs = 5_000;
export const zmtpReconnectMs = 100;
export const zmtpReconnectMaxMs = 5_000;
/** KV events: one batch of an engine, the items of one list in it, and the tokens of one block. */
export const kvBatchBytesMax = 8_388_608;
export const kvEventItemsMax = 1_048_576;
export const kvBlockTokensMax = 4_096;
/**
 * Blocks of one engine that are known from its events, at about 250 bytes each; an engine that holds more is not
 * followed.
 */
export const reportedBlocksMax = 262_144;
/**
 * Batches that come while others are replayed, in bytes; and how long a replay may say nothing, and when it is tried
 * again.
 */
export const kvPendingBytesMax = 33_554_432;
export const kvReplayTimeoutMs = 3_000;
export const kvReplayAgainMs = 30_000;
/**
 * Within so many ms a prefill engine that has died is noticed by its own failures: those of decode engines that were to
 * fetch from it wait for that.
 */
export const suspicionMs = 1_000;
/**
 * Prompts that an engine tokenises: time for it, largest answer, and failures in a row after which none is asked for a
 * while.
 */
export const tokenizeTimeoutMs = 1_000;
export const tokenizeResponseBytesMax = 16_777_216;
export const tokenizeFailuresMax = 3;
export const tokenizeRestMs = 10_000;
/** `X-Explain`: decisions of one request, and engines in each, the chosen one and those that came closest. */
export const explainedDecisionsMax = 8;
export const explainedEnginesMax = 16;
/**
 * Requests in each list of a worker's that operators see: the last ones, the slowest, those that failed; the slowest
 * are those of one to two such windows. How far back the flows between engines are counted.
 */
export const listedRequestsMax = 40;
export const slowestWindowMs = 300_000;
export const flowWindowMs = 10_000;
/**
 * Blocks of prompts that a pool's shadow remembers per engine, for what was sent there and for what it would have sent:
 * as policies do.
 */
export const shadowBlocksMax = 65_536;
/** How often a worker says that retries are refused, at most. */
export const retryRefusedSaidMs = 10_000;
/** Each further engine has so many times longer to respond than the one before: perhaps the prompt takes long. */
export const patienceFactor = 4;
/** How often signs of life are looked for in the shortest time that is late. */
export const latenessLooks = 8;
/** After so many refused requests a further one is tried at another engine: they may be this engine's fault. */
export const refusalsThatDoubt = 3;
/** Failures of an engine in a row after which its requests move to others without regard to the retry budget. */
export const failuresThatMoveRequests = 5;
/** Counters of retries, by leg and cause. */
export const requestCountersMax = 64;
/**
 * Publishers of KV events that connect to the proxy: connections of one address, topics of one connection, publishers
 * that are of no engine and are named in the log; and when an address that cannot be had is tried again, and a host
 * name looked up.
 */
export const kvPublishersMax = 4_096;
export const kvTopicsMax = 64;
export const kvUnknownPublishersMax = 256;
export const kvListenAgainMs = 1_000;
/** Rows that each worker has by route and model; and by outcome and status, too. Further ones count as `other`. */
export const metricRowsMax = 128;
export const outcomeRowsMax = 2_048;
/** The same by tenant and outcome. */
export const tenantRowsMax = 1_024;
/** Bytes of a model's name in a label, and characters of a route. */
export const modelNameBytesMax = 128;
export const routeCharsMax = 128;
/** Response meters that a worker keeps for its next requests, at 4 KiB each. */
export const spareMetersMax = 256;
/** Scans of bodies that it keeps: each is as large as the body had members. */
export const spareTopLevelsMax = 64;
/** Bytes of the labels of one row, with their length. */
export const seriesLabelBytesMax = 512;
/** The error log: how long equal lines are counted, how many are remembered, and what of each tells it from others. */
export const repeatWindowMs = 1_000;
export const repeatedLinesMax = 256;
export const repeatedKeyCharsMax = 500;
/** Steps of one request before its legs that its trace has: a request waits again a few times at most. */
export const tracedStepsMax = 8;
/** Spans of a worker that wait for its next tick, and of all that wait for the collector; further ones are dropped. */
export const workerSpansMax = 2_048;
export const waitingSpansMax = 8_192;
/** Spans of one export; how long what has come waits for more, and how long the exporter tries a batch again. */
export const exportedSpansMax = 512;
export const spanBatchDelayMs = 1_000;
export const spanExportTimeoutMs = 10_000;
/** Engines that one line of the log names. */
export const namedEnginesMax = 8;
/**
 * Tenants whose use is counted at a time: sets of slots by a hash of the name, and slots of a set. One that has used
 * nothing for a minute gives its slot up when another needs it.
 */
export const tenantSlotSets = 512;
export const tenantSlotWays = 16;
/** How far a tenant may be behind: what responses have used beyond its limit is refilled for so long at most. */
export const tenantDebtMsMax = 3_600_000;
/** Names of tenants that one worker remembers of those that the configuration does not list. */
export const unlistedTenantsMax = 8_192;
/** Longest name of a tenant, longest API key and longest JSON web token that is looked at, in bytes. */
export const tenantNameBytesMax = 128;
export const apiKeyBytesMax = 512;
export const jwtBytesMax = 16_384;
/** Verified tokens that one worker remembers, and for how long at most. */
export const verifiedTokensMax = 8_192;
export const verifiedTokenMsMax = 300_000;
/** How often a worker has the issuer asked for the key of a token that it does not know. */
export const issuerAskedAgainMs = 30_000;
/** Clocks of those who sign tokens may differ by so much. */
export const tokenClockSkewSeconds = 30;

/** Bytes of a body that `$request_body` shows: as many as nginx keeps in memory. A larger one is not shown. */
export const requestBodyVariableBytesMax = 16_384;
