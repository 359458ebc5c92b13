/** The options of an engine, their defaults and their check. */

import { type Clock, systemClock } from "./clock.ts";
import type { Dialect } from "./dialects/dialect.ts";
import type { Fault } from "./faults/fault.ts";
import type { EngineRole } from "./roles.ts";

/** How fast the engine is. */
export interface Timing {
  /** Prompt tokens that prefill computes per second; 0 = it takes no time. */
  readonly prefillTokensPerSecond: number;
  /** Time between two tokens of a request that decodes alone. */
  readonly itlMs: number;
  /** What each further request in the batch adds to a step. */
  readonly batchPenaltyMs: number;
  /** Times vary uniformly by ± this fraction. */
  readonly jitter: number;
  /** Seed of the jitter. */
  readonly seed: number;
}

/** Everything but the role has a default: see {@link engineDefaults}. */
export interface EngineOptions extends Partial<Timing> {
  readonly role: EngineRole;
  /** The KV-transfer protocol: `name[:key=value,…]` of one in `dialects/registry.ts`, or one that is not there. */
  readonly dialect?: string | Dialect;
  /** How encode engines pass embeddings on: `shared[:path=FOLDER]` or `pull`; "" = they do not. */
  readonly ecTransfer?: string;
  /** Address to listen on; KV-transfer parameters name it as `remote_host`. */
  readonly host?: string;
  /** 0 = a free one. */
  readonly port?: number;
  /** Port on which other engines call this one, for example to fetch KV; 0 = a free one. */
  readonly kvPort?: number;
  readonly model?: string;
  /** As `/version` says it. vLLM before 0.19 fails a call that is forced and cut. */
  readonly version?: string;
  /** Names of the LoRA adapters that it has loaded at its start. */
  readonly adapters?: readonly string[];
  /** How long a prefill engine holds KV for a decode engine; without it, as long as the dialect says. */
  readonly kvLeaseMs?: number;
  /** What a decode engine waits before it fetches KV: its own queue and the transfer. */
  readonly kvTransferMs?: number;
  /** Idle connections are closed after this time, as by uvicorn; 0 = never. */
  readonly keepAliveMs?: number;
  /** Whether prompt prefixes in the cache need no prefill time. Metrics count hits only then. */
  readonly prefixCache?: boolean;
  /** Size of the prefix cache in tokens; the least recently used go first. */
  readonly kvCacheTokens?: number;
  /** Port on which changes of the prefix cache are published, as by vLLM; 0 = none. Turns the prefix cache on. */
  readonly kvEvents?: number;
  /** `HOST:PORT` to which it connects to publish them instead, as vLLM does with an endpoint without `*`; "" = none. */
  readonly kvEventsTo?: string;
  /** Topic of KV events; "" = none. */
  readonly kvTopic?: string;
  /** Port on which missed KV events are replayed; 0 = none. */
  readonly kvReplay?: number;
  /** Value of `created` in responses, in seconds since 1970; `now` = the real time. */
  readonly created?: number | "now";
  /** Whether the usage includes how many prompt tokens came from a cache or from another engine. */
  readonly promptTokensDetails?: boolean;
  /** Whether a vLLM engine shows its configuration at `/server_info`, as with `VLLM_SERVER_DEV_MODE=1`. */
  readonly devMode?: boolean;
  /** A response ends by itself after this many tokens, unless `min_tokens` forbids it; 0 = at its natural length. */
  readonly eosAfterTokens?: number;
  /** Tokens of prompt and response together. */
  readonly maxModelLen?: number;
  /** What clients have to send as `Authorization: Bearer`; "" = nothing. */
  readonly apiKey?: string;
  /** Files of PEM: its certificate and key; "" = it speaks plain HTTP. */
  readonly tlsCertificate?: string;
  readonly tlsKey?: string;
  /** Of the issuer whose certificates clients must have; "" = none is asked for. */
  readonly tlsClientCa?: string;
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
  version: "0.0.0+simulated",
  adapters: [],
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
  kvEventsTo: "",
  kvTopic: "",
  kvReplay: 0,
  promptTokensDetails: false,
  devMode: false,
  eosAfterTokens: 0,
  created: 1_700_000_000,
  maxModelLen: 1_048_576,
  apiKey: "",
  tlsCertificate: "",
  tlsKey: "",
  tlsClientCa: "",
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
