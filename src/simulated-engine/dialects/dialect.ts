/** How an engine family hands KV over, as the engine lives it: the interfaces that each dialect fills. */

import type { z } from "zod";
import type { InferenceRequest } from "../core/inference-request.ts";
import type { PeerClient } from "../http/peers.ts";
import type { RouteTable } from "../http/route-table.ts";
import type { KvStore } from "../kv/kv-store.ts";
import type { Rendezvous } from "../kv/rendezvous.ts";
import type { ContinuedText } from "../model/continued-text.ts";
import type { ResponseEnd } from "../model/tokens.ts";
import type { EngineRole, ResolvedOptions } from "../options.ts";

export interface Dialect {
  readonly name: string;
  readonly roles: readonly EngineRole[];
  /** Once per engine, before it listens. Throws an Error that says what is wrong with the settings. */
  create(engine: EngineContext, settings: Settings): EngineDialect;
}

/** Who makes the engine: which endpoints it has, and how it words them. The names are what `/v1/models` says of the owner. */
export type EngineFamily = "vllm" | "sglang" | "tensorrt_llm";

/** What stands after the dialect's name, as in `vllm-nixl:generation=older`. */
export type Settings = Readonly<Record<string, string>>;

/** One engine's dialect. */
export interface EngineDialect {
  /** How long KV is held when no switch says so. */
  readonly kvLeaseMs: number;
  /** `vllm` without it. */
  readonly family?: EngineFamily;
  /** What the engine answers on its HTTP port besides the endpoints, or instead of its own `/version` and the like. */
  readonly routes?: RouteTable;
  /** What it answers on its side port, where other engines come in place of ZMQ and RDMA. Without them there is no such port. */
  readonly sideRoutes?: RouteTable;
  /** What becomes of one request. Throws a RequestError to refuse it. */
  leg(request: InferenceRequest, origin: Origin): Leg;
  /** The engine listens, and `address` has its ports. */
  start?(): void;
  close?(): void;
}

export interface Origin {
  /** `X-Request-Id`; without it, one that follows from the prompt. */
  readonly requestId: string;
  readonly headers: NodeJS.Dict<string | string[]>;
}

/**
 * One request's part in a hand-off. Without any of these the engine computes the prompt and answers, and that is all. A promise
 * that rejects ends the request with that error.
 */
export interface Leg {
  /** The engine itself ends the answer after so many tokens, whatever the client asked for. */
  readonly tokensMax?: number;
  /** The `finish_reason` of an answer that ended by `tokensMax` and not by the client's own limit; "length" without it. */
  readonly cutReason?: string;
  /** The answer is the rest of a text with which the prompt ends. */
  readonly continues?: ContinuedText;
  /** Before anything is computed: fetches KV, waits for the other engine, or calls the proxy back. */
  acquire?(gone: AbortSignal): Promise<Acquired>;
  /** When all tokens are there and the end of the answer is not yet sent: holds KV or pushes it. */
  deliver?(finish: Finish, gone: AbortSignal): ResponseExtras | Promise<ResponseExtras>;
  /** The client has gone, or the engine closes, before the answer was complete. `gone` is aborted by then. */
  abandon?(): void;
}

/** How the prompt's KV came about. */
export interface Acquired {
  /**
   * `compute`: it is computed here, as it should be. `recompute`: it is computed here although another engine should have; counted
   * by `reason`. `remote`: it came from another engine. `local`: it was here.
   */
  readonly kv: "compute" | "recompute" | "remote" | "local";
  /** For `recompute`. */
  readonly reason?: string;
  /** The first token came with the KV. */
  readonly firstToken?: boolean;
  /** For `remote`: prompt tokens that the other engine had cached, as the usage is to tell. Without it, all of them. */
  readonly cachedTokens?: number;
  /** The engine gives the request up early, and says so in the answer. */
  readonly end?: ResponseEnd;
}

export interface Finish {
  /** Of the first choice. */
  readonly reason: string;
}

/** What the hand-off adds to an answer that is not streamed; all values are JSON. */
export interface ResponseExtras {
  readonly top?: Readonly<Record<string, string>>;
  /** For each choice. */
  readonly choice?: Readonly<Record<string, string>>;
  /** Names and values in turn. */
  readonly headers?: readonly string[];
}

/** What a dialect may use of its engine. */
export interface EngineContext {
  readonly role: EngineRole;
  /** New with each start, as in real engines: KV of an earlier life is not handed over. */
  readonly engineId: string;
  readonly options: ResolvedOptions;
  /** Where others reach it. The ports are 0 until it listens; `sidePort` stays 0 without side routes. */
  readonly address: { readonly host: string; readonly port: number; readonly sidePort: number };
  readonly kvStore: KvStore;
  readonly peers: PeerClient;
  /** Requests in the engine now. */
  readonly load: { readonly running: number; readonly waiting: number };
  /** A meeting place of its own, which `/debug/state` shows. */
  newRendezvous<T>(): Rendezvous<T>;
  /** Rejects when `gone` is aborted. */
  sleep(delayMs: number, gone: AbortSignal): Promise<void>;
  /** Counts what a proxy that keeps to the protocol does not do. */
  violation(text: string): void;
}

/** Reads a dialect's settings. Throws an Error that names the first one that is wrong. */
export function readSettings<T extends z.ZodType>(schema: T, settings: Settings): z.output<T> {
  const result = schema.safeParse(settings);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const where = issue.path.length > 0 ? `${issue.path.join(".")}: ` : "";
  throw new Error(`dialect setting: ${where}${issue.message}`);
}
