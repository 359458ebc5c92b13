/**
 * What the dashboard is sent: plain data, one kind for each event of the stream. The page's program imports this file,
 * so that it imports nothing itself but types. Times are ms since the epoch unless they say otherwise.
 */
import type { EngineStateReport } from "../../../pool/health/engine-state.ts";
import type { CacheKnowledge } from "../../../prefix-cache/cache-knowledge.ts";
import type { RequestLists } from "../../../proxy/worker/explanations.ts";

/** By the names of events. */
export interface Messages {
  /** First, and once: so that the charts are filled. */
  readonly history: HistoryMessage;
  readonly point: Point;
  readonly verdict: Verdict;
  readonly fleet: Fleet;
  readonly load: Load;
  readonly requests: RequestsMessage;
  readonly outcomes: readonly OutcomeCount[];
  readonly changes: readonly Change[];
  readonly shadows: readonly ShadowVerdict[];
}

/**
 * What is known of a second. Rates are per second, of the last 5 s; times are quantiles in ms of the requests that
 * ended in the last 15 s; null = there were none.
 */
export const pointFields = [
  "atMs",
  "requests",
  "failed",
  "promptTokens",
  "outputTokens",
  "firstToken50",
  "firstToken95",
  "interToken50",
  "interToken95",
  "queue95",
  "prefill95",
  "transfer95",
  "waiting",
  "prefilling",
  "decoding",
  "kvOpen",
] as const;
export type PointField = (typeof pointFields)[number];
/** In the order of `pointFields`. */
export type Point = readonly (number | null)[];

export interface HistoryMessage {
  /** Between two points. */
  readonly everyMs: number;
  readonly points: readonly Point[];
}

export type Level = "good" | "note" | "warn" | "bad";

export interface Verdict {
  readonly level: Level;
  readonly headline: string;
  /** Of the headline. */
  readonly sinceMs?: number;
  /** The worst first; the first one is the headline. */
  readonly problems: readonly Problem[];
}

export interface Problem {
  readonly level: Exclude<Level, "good">;
  /** A sentence without its end: "decode 10.0.0.3:8200 is ejected". */
  readonly text: string;
  /** Why, as far as the proxy knows: "5 connection errors". */
  readonly why?: string;
  /** What to look at or to do. */
  readonly hint?: string;
  readonly sinceMs?: number;
  readonly pool?: string;
  readonly engine?: string;
}

export type Role = "encode" | "prefill" | "decode" | "serve";

export interface Fleet {
  readonly version: string;
  readonly runtime: string;
  readonly startedMs: number;
  readonly workers: { readonly alive: number; readonly configured: number };
  readonly isDraining: boolean;
  /** Whether requests are counted, and remembered. */
  readonly countsRequests: boolean;
  readonly keepsRequests: boolean;
  readonly pools: readonly FleetPool[];
  /** Pools that work for each other, by their places in `pools`: from the prefill to the decode. */
  readonly links: readonly (readonly [number, number])[];
}

export interface FleetPool {
  readonly pool: string;
  readonly role: Role;
  readonly policy: string;
  /** How the policy chooses, in a sentence; "" = it is an operator's own. */
  readonly policySummary: string;
  readonly hasQueue: boolean;
  readonly engines: readonly FleetEngine[];
}

/** What of an `EngineReport` changes seldom. */
export interface FleetEngine extends EngineStateReport {
  readonly engine: string;
  readonly weight: number;
  readonly ejection?: { readonly reason: string; readonly until: string } | undefined;
  readonly isUnhealthy?: boolean;
  readonly signal?: "live" | "dead";
  /** `unused`: its pool does not go by what engines have cached. */
  readonly cache: CacheKnowledge | "unused";
  /** What it lists; absent = it is not asked. */
  readonly models?: readonly EngineModel[];
  readonly modelsUntold?: number;
  readonly sources: readonly string[];
  readonly draining?: { readonly why: "operator" | "removed" | "source" } | undefined;
  /** Since when it is in its state, as far as this process has seen. */
  readonly sinceMs: number;
  /** The failures since the last quiet time; absent = it has had none. */
  readonly burst?: Burst;
}

export interface EngineModel {
  readonly name: string;
  /** Of a LoRA adapter: its model. */
  readonly adapterOf?: string | undefined;
}

/** Failures of an engine's requests that came one after the other. */
export interface Burst {
  readonly sinceMs: number;
  readonly lastMs: number;
  /** Connections that were refused or broke off, responses that did not come in time, that broke the protocol, 5xx. */
  readonly errors: number;
  readonly timeouts: number;
  readonly invalid: number;
  readonly statuses: number;
}

/** By pool, in the fleet's order. */
export interface Load {
  readonly atMs: number;
  /** null = the pool has no queue. */
  readonly waiting: readonly (number | null)[];
  /** By engine, in the order of `loadFields`. */
  readonly engines: readonly (readonly (readonly number[])[])[];
}

/** -1 = not known. Tokens are of what is in flight; `kvUse` is a share of 1; `rate` is requests per second. */
export const loadFields = [
  "inFlight",
  "promptTokens",
  "responseTokens",
  "kvOpen",
  "kvUse",
  "others",
  "rate",
  "firstByteMs",
  "serviceMs",
] as const;
export type LoadField = (typeof loadFields)[number];

/** Of all workers. */
export type RequestsMessage = RequestLists;

/** Requests that ended in one way, other than well. */
export interface OutcomeCount {
  readonly code: string;
  /** Of the responses. */
  readonly status: number;
  readonly message: string;
  readonly fault: string;
  readonly retry: string;
  readonly total: number;
  /** Of each of the last minutes, the oldest first; the last one is under way. */
  readonly minutes: readonly number[];
  /** When the last one ended, to a second; absent = before this was watched. */
  readonly lastMs?: number;
}

/** Something that happened: an engine changed its state, a worker was replaced, a configuration was applied. */
export interface Change {
  readonly atMs: number;
  readonly level: Level;
  readonly text: string;
  readonly why?: string;
  readonly pool?: string;
  readonly engine?: string;
}

export interface ShadowVerdict {
  readonly pool: string;
  readonly policy: string;
  readonly shadow: string;
  readonly picks: number;
  readonly differed: number;
  readonly cachedShare: { readonly real: number; readonly shadow: number };
  readonly prefillMs: { readonly real: number; readonly shadow: number };
  readonly fault?: string;
}
