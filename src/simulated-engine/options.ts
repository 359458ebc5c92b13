/** What an engine can be told, what it assumes when it is not told, and its fixed bounds. */

import type { Fault } from "./core/faults.ts";
import { type Clock, systemClock, type Timing } from "./core/timing.ts";
import type { Dialect } from "./dialects/dialect.ts";

export const engineRoles = ["prefill", "decode", "mixed", "encode"] as const;
export type EngineRole = (typeof engineRoles)[number];

/** Everything but the role has a default: see {@link engineDefaults}. */
export interface EngineOptions extends Partial<Timing> {
  readonly role: EngineRole;
  /** How KV is handed over: `name[:key=value,…]` of one in `dialects/registry.ts`, or one that is not there. */
  readonly dialect?: string | Dialect;
  /** How embeddings come from encode engines, or go from one: `shared[:path=FOLDER]`, `pull`; "" = they do not. */
  readonly ecTransfer?: string;
  /** Address to listen on, also named in hand-offs as `remote_host`. */
  readonly host?: string;
  /** 0 = a free one. */
  readonly port?: number;
  /** Port on which other engines speak to this one, as to fetch KV; 0 = a free one. */
  readonly kvPort?: number;
  readonly model?: string;
  /** How long KV is held for a decode engine; without it, as long as the dialect says. */
  readonly kvLeaseMs?: number;
  /** What a decode engine waits before it fetches KV: its own queue and the transfer. */
  readonly kvTransferMs?: number;
  /** Idle connections are closed after so long, as uvicorn does; 0 = never. */
  readonly keepAliveMs?: number;
  /** Whether known prompt prefixes need no prefill time. Metrics count them only when they are. */
  readonly prefixCache?: boolean;
  /** Tokens whose KV the prefix cache keeps; those used longest ago go first. */
  readonly kvCacheTokens?: number;
  /** Port where it is published what the prefix cache gets and loses, as vLLM does; 0 = nowhere. Turns the prefix cache on. */
  readonly kvEvents?: number;
  /** Port where what was missed of that is asked for; 0 = nowhere. */
  readonly kvReplay?: number;
  /** Value of `created` in answers, in seconds since 1970; `now` = the real time. */
  readonly created?: number | "now";
  /** Whether the usage tells how many prompt tokens came from a cache or from another engine. */
  readonly promptTokensDetails?: boolean;
  /** Answers end by themselves with this token, unless `min_tokens` forbids it; 0 = at a length of their own. */
  readonly eosAfterTokens?: number;
  /** Tokens of prompt and answer together. */
  readonly maxModelLen?: number;
  /** Faults in force from the start. */
  readonly faults?: readonly Fault[];
  readonly clock?: Clock;
}

export type ResolvedOptions = Required<Omit<EngineOptions, "kvLeaseMs">> &
  Pick<EngineOptions, "kvLeaseMs">;

export const engineDefaults = {
  dialect: "omni",
  ecTransfer: "",
  host: "127.0.0.1",
  port: 0,
  kvPort: 0,
  model: "simulated",
  prefillTokensPerSecond: 20_000,
  itlMs: 10,
  batchPenaltyMs: 0.1,
  jitter: 0,
  seed: 1,
  kvTransferMs: 0,
  keepAliveMs: 5_000,
  prefixCache: false,
  kvCacheTokens: 4_194_304,
  kvEvents: 0,
  kvReplay: 0,
  promptTokensDetails: false,
  eosAfterTokens: 0,
  created: 1_700_000_000,
  maxModelLen: 1_048_576,
  faults: [],
  clock: systemClock,
} as const satisfies Omit<ResolvedOptions, "role">;

/** All times 0: as fast as the process can, for tests. */
export const instantTiming: Timing = {
  prefillTokensPerSecond: 0,
  itlMs: 0,
  batchPenaltyMs: 0,
  jitter: 0,
  seed: 1,
};

/** Throws a RangeError that names the option. */
export function resolveOptions(options: EngineOptions): ResolvedOptions {
  const resolved: ResolvedOptions = { ...engineDefaults, ...options };
  for (const name of notNegative) {
    const value = resolved[name] ?? 0;
    if (!Number.isFinite(value) || value < 0) throw new RangeError(`${name} is below 0: ${value}`);
  }
  if (resolved.jitter > 1) throw new RangeError(`jitter is above 1: ${resolved.jitter}`);
  return resolved;
}

const notNegative = [
  "port",
  "kvPort",
  "prefillTokensPerSecond",
  "itlMs",
  "batchPenaltyMs",
  "jitter",
  "kvCacheTokens",
  "kvEvents",
  "kvReplay",
  "kvLeaseMs",
  "kvTransferMs",
  "keepAliveMs",
  "eosAfterTokens",
  "maxModelLen",
] as const satisfies readonly (keyof ResolvedOptions)[];

/** Largest request body. */
export const bodyBytesMax = 67_108_864;
/** Largest request head. */
export const headBytesMax = 65_536;
/** Requests in the engine at a time; more are answered 503. */
export const requestsMax = 65_536;
/** Prompts whose KV is held at a time; the oldest goes first. */
export const heldKvMax = 65_536;
/** Tokens for which the engine has KV, for `vllm:kv_cache_usage_perc`. */
export const kvCapacityTokens = 4_194_304;
/** Choices of one request, over all its prompts. */
export const choicesMax = 1_024;
/** Answers of `/v1/responses` that are kept; the one that was made longest ago goes first. */
export const storedResponsesMax = 4_096;
/** Request ids that `/debug/state` remembers. */
export const requestIdsMax = 1_000;
/** Requests that `/debug/requests` remembers, and how much of each body. */
export const recordedRequestsMax = 64;
export const recordedBodyBytesMax = 16_384;
/** How long an engine waits for another's answer, unless its protocol says otherwise. */
export const peerTimeoutMs = 5_000;
/** Protocol violations whose text `/debug/state` remembers. */
export const violationTextsMax = 100;
/** Names of held KV, and of what is waited for, that `/debug/state` shows. */
export const namesShownMax = 100;
/** KV bytes per token, for the figures in `/debug/state`: what an 8-billion model with grouped queries needs. */
export const kvBytesPerToken = 131_072;
