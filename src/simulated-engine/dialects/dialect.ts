/** How an engine family transfers KV, seen from the engine: the interfaces that each dialect implements. */

import type { Clock } from "../clock.ts";
import type { PeerClient } from "../http/peers.ts";
import type { RouteTable } from "../http/route-table.ts";
import type { KvStore } from "../kv/kv-store.ts";
import type { Rendezvous } from "../kv/rendezvous.ts";
import type { ResponseEnd } from "../model/planned-output.ts";
import type { InferenceRequest } from "../request/inference-request.ts";
import type { ResponseExtras } from "../request/response-extras.ts";
import type { EngineFamily, EngineRole } from "../roles.ts";
import type { Settings } from "./settings.ts";

export interface Dialect {
  readonly name: string;
  readonly roles: readonly EngineRole[];
  /** vLLM's name of the KV connector, which engines in development mode show. */
  readonly connector?: string;
  /** Called once per engine, before it listens. Throws an Error that says what is wrong with the settings. */
  create(engine: EngineContext, settings: Settings): EngineDialect;
}

/** One engine's dialect. */
export interface EngineDialect {
  /** How long KV is held when no option says so. */
  readonly kvLeaseMs: number;
  /** `vllm` without it. */
  readonly family?: EngineFamily;
  /** Routes on the engine's HTTP port besides the endpoints. They replace its own, such as `/version`. */
  readonly routes?: RouteTable;
  /**
   * Routes on the side port, where other engines call by HTTP instead of ZMQ and RDMA. Without them there is no such
   * port.
   */
  readonly sideRoutes?: RouteTable;
  /** Decides what happens to one request. Throws a RequestError to reject it. */
  leg(request: InferenceRequest, origin: Origin): Leg;
  /** The engine listens, and `address` has its ports. */
  start?(): void;
  close?(): void;
}

export interface Origin {
  /** `X-Request-Id`; without it, an id that follows from the prompt. */
  readonly requestId: string;
  readonly headers: NodeJS.Dict<string | string[]>;
}

/**
 * One request's part in a KV transfer. Without any of these members the engine computes the prompt and responds. A
 * promise that rejects ends the request with that error.
 */
export interface Leg {
  /** The engine itself ends the response after so many tokens, whatever the client asked for. */
  readonly tokensMax?: number;
  /** The `finish_reason` of a response that `tokensMax` ended, not the client's own limit; "length" without it. */
  readonly cutReason?: string;
  /** Before anything is computed: fetches KV, waits for the other engine, or calls the proxy back. */
  acquire?(signal: AbortSignal): Promise<Acquired>;
  /** When all tokens are generated and the end of the response is not yet sent: holds KV or pushes it. */
  deliver?(finish: Finish, signal: AbortSignal): ResponseExtras | Promise<ResponseExtras>;
  /** The client disconnected, or the engine closes, before the response was complete. The signal is aborted by then. */
  abandon?(): void;
}

/** Where the prompt's KV came from. */
export interface Acquired {
  /**
   * `compute`: this engine computes it, as it should. `recompute`: this engine computes it although another should
   * have; counted by `reason`. `remote`: it came from another engine. `local`: this engine had it.
   */
  readonly kv: "compute" | "recompute" | "remote" | "local";
  /** For `recompute`. */
  readonly reason?: string;
  /** The first token came with the KV. */
  readonly firstToken?: boolean;
  /** For `remote`: prompt tokens that the other engine had cached, for the usage. Without it, all of them. */
  readonly cachedTokens?: number;
  /** The engine preempts the request early, and says so in the response. */
  readonly end?: ResponseEnd;
}

export interface Finish {
  /** Of the first choice. */
  readonly reason: string;
}

/** What a dialect may use of its engine. */
export interface EngineContext {
  readonly role: EngineRole;
  /** New with each start, as in real engines: KV of an earlier process cannot be fetched. */
  readonly engineId: string;
  readonly options: DialectOptions;
  /** Where others reach it. The ports are 0 until it listens; `sidePort` stays 0 without side routes. */
  readonly address: { readonly host: string; readonly port: number; readonly sidePort: number };
  readonly kvStore: KvStore;
  readonly peers: PeerClient;
  /** Share of the KV cache in use, 0 to 1. */
  readonly kvUsage: number;
  /** Requests in the engine now. */
  readonly load: { readonly running: number; readonly waiting: number };
  /** A new rendezvous, which `/debug/state` shows. */
  newRendezvous<T>(): Rendezvous<T>;
  /** Rejects when `signal` is aborted. */
  sleep(delayMs: number, signal: AbortSignal): Promise<void>;
  /** Counts what a proxy that follows the protocol never does. */
  violation(text: string): void;
}

/** The options of the engine that dialects read. */
export interface DialectOptions {
  readonly clock: Clock;
  readonly model: string;
  /** What a decode engine waits before it fetches KV. */
  readonly kvTransferMs: number;
}
