/** What all requests of one engine share: its queue, its KV, its counters, and the state that it shows of them. */

import { randomUUID } from "node:crypto";
import { Connections } from "./connections.ts";
import { type Fault, FaultBook } from "./faults.ts";
import { kvTransferParamsJson, type RecomputeReason } from "./handoff.ts";
import type { InferenceJob, Phase } from "./job.ts";
import { KvClient } from "./kv-client.ts";
import { type KvRefusal, KvStore } from "./kv-store.ts";
import { EngineMetrics } from "./metrics.ts";
import type { InferenceRequest } from "./openai.ts";
import {
  type EngineRole,
  heldKvMax,
  kvBytesPerToken,
  kvCapacityTokens,
  type ResolvedOptions,
  requestIdsMax,
} from "./options.ts";
import { blockTokens, PrefixCache } from "./prefix-cache.ts";
import { Scheduler } from "./timing.ts";

/** The answer of `GET /debug/state`. Counts are since the start of the engine. */
export interface EngineState {
  readonly role: EngineRole;
  readonly engineId: string;
  readonly model: string;
  /** KV held now: prompts, their bytes, and the oldest ids. */
  readonly held: number;
  readonly heldBytes: number;
  readonly heldIds: readonly string[];
  /** KV ever held; each ends as one of the four below. */
  readonly stored: number;
  readonly fetched: number;
  readonly released: number;
  readonly expired: number;
  readonly evicted: number;
  /** Fetches that this engine turned down as the one that holds the KV. */
  readonly refused: Readonly<Record<KvRefusal, number>>;
  /** Requests whose KV came from another engine. */
  readonly remotePrefills: number;
  /** Prompts that this engine computed although a prefill engine should have, by reason. */
  readonly recomputed: Readonly<Record<RecomputeReason, number>>;
  /** Requests whose client went away, by what was under way then. */
  readonly aborted: Readonly<Record<AbortPhase, number>>;
  readonly running: number;
  readonly waiting: number;
  /** Inference requests whose body arrived, also refused ones. */
  readonly requestsSeen: number;
  readonly protocolViolations: number;
  /** Connections to the HTTP port, without those that carried `/debug`; the KV port has its own. */
  readonly connectionsAccepted: number;
  readonly connectionsOpen: number;
  /** `X-Request-Id` of the last inference requests, oldest first; `""` when there was none. */
  readonly requestIds: readonly string[];
  readonly faults: readonly Fault[];
}

/** `receiving`: the body had not arrived in full. */
export type AbortPhase = "receiving" | Exclude<Phase, "done">;

const heldIdsMax = 100;

export class EngineCore {
  readonly options: ResolvedOptions;
  readonly engineId: string = randomUUID();
  readonly scheduler: Scheduler;
  readonly kvStore: KvStore;
  readonly connections: Connections;
  readonly kvClient = new KvClient();
  readonly faults = new FaultBook();
  readonly metrics = new EngineMetrics();
  readonly counts = {
    requestsSeen: 0,
    protocolViolations: 0,
    remotePrefills: 0,
    recomputed: {
      missing_params: 0,
      wrong_prompt: 0,
      unknown: 0,
      mangled_params: 0,
      fetch_failed: 0,
    } as Record<RecomputeReason, number>,
    aborted: { receiving: 0, waiting: 0, prefilling: 0, streaming: 0 } as Record<
      AbortPhase,
      number
    >,
  };
  /** Where other engines fetch KV; known once the engine listens. */
  kvPort = 0;
  readonly #jobs = new Set<InferenceJob>();
  readonly #prefixCache: PrefixCache | undefined;
  readonly #requestIds: string[] = [];
  #nextHold = 0;
  #nextBlock = 1;

  constructor(options: ResolvedOptions) {
    this.options = options;
    this.scheduler = new Scheduler(options.clock, options);
    this.connections = new Connections(options.clock, options.keepAliveMs);
    this.kvStore = new KvStore(options.clock, options.kvLeaseMs, heldKvMax);
    if (options.prefixCache) this.#prefixCache = new PrefixCache(kvCapacityTokens / blockTokens);
    for (const fault of options.faults) this.faults.set(fault, options.clock.now());
  }

  /** What others connect to when the engine listens on all addresses. */
  get reachableHost(): string {
    const { host } = this.options;
    return host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  }

  get requests(): number {
    return this.#jobs.size;
  }

  enter(job: InferenceJob): void {
    this.#jobs.add(job);
  }

  leave(job: InferenceJob): void {
    this.#jobs.delete(job);
  }

  noteRequest(requestId: string): void {
    this.counts.requestsSeen++;
    this.#requestIds.push(requestId);
    // Half of the ring at a time, because to shift an array costs its length.
    if (this.#requestIds.length >= 2 * requestIdsMax) this.#requestIds.splice(0, requestIdsMax);
  }

  /** Tokens of the prompts that need no prefill. */
  visitPrefixCache(request: InferenceRequest): number {
    this.metrics.prefixQueriedTokens += request.promptTokens;
    if (this.#prefixCache === undefined) return 0;
    let known = 0;
    for (const { bytes } of request.prompts) known += this.#prefixCache.visit(bytes);
    this.metrics.prefixHitTokens += known;
    // The last token is always computed, because its result is what the first new token comes from.
    return Math.min(known, request.promptTokens - 1);
  }

  /** Holds the KV of a computed prompt; the result is the hand-off, as JSON. */
  holdKv(requestId: string, request: InferenceRequest): string {
    // vLLM makes the ids unique in the same way, because clients may send the same one twice.
    const suffix = (this.#nextHold++).toString(16).padStart(8, "0");
    const prefix = request.api === "chat" ? "chatcmpl" : "cmpl";
    const source = {
      engineId: this.engineId,
      requestId: `${prefix}-${requestId}-0-${suffix}`,
      host: this.reachableHost,
      port: this.kvPort,
      fingerprint: fingerprintOf(request.promptHash),
    };
    const tokens = request.promptTokens;
    this.kvStore.hold({ ...source, tokens, promptHash: request.promptHash });
    const json = kvTransferParamsJson(source, tokens, this.#nextBlock);
    this.#nextBlock += Math.ceil(tokens / blockTokens);
    return json;
  }

  createdSeconds(): number {
    const { created } = this.options;
    return created === "now" ? Math.floor(Date.now() / 1_000) : created;
  }

  renderMetrics(): string {
    return this.metrics.render(this.options.model, {
      ...this.#load(),
      kvUsage: Math.min(1, this.kvStore.heldTokens / kvCapacityTokens),
      blockTokens,
      blocks: kvCapacityTokens / blockTokens,
    });
  }

  state(): EngineState {
    const { counts, kvStore } = this;
    return {
      role: this.options.role,
      engineId: this.engineId,
      model: this.options.model,
      held: kvStore.held,
      heldBytes: kvStore.heldTokens * kvBytesPerToken,
      heldIds: kvStore.heldIds(heldIdsMax),
      ...kvStore.counts,
      refused: { ...kvStore.counts.refused },
      ...counts,
      recomputed: { ...counts.recomputed },
      aborted: { ...counts.aborted },
      connectionsAccepted: this.connections.accepted,
      connectionsOpen: this.connections.open,
      ...this.#load(),
      requestIds: this.#requestIds.slice(-requestIdsMax),
      faults: this.faults.list(this.options.clock.now()),
    };
  }

  close(): void {
    for (const job of [...this.#jobs]) job.abort();
    this.scheduler.close();
    this.kvStore.close();
    this.kvClient.close();
  }

  #load(): { running: number; waiting: number } {
    let waiting = 0;
    for (const job of this.#jobs) if (job.phase === "waiting") waiting++;
    return { running: this.#jobs.size - waiting, waiting };
  }
}

/** An odd number of 63 bits that belongs to the prompt: no double holds it. */
function fingerprintOf(promptHash: string): string {
  const bits = BigInt(`0x${promptHash.slice(0, 15)}`);
  return String((1n << 62n) | (bits << 1n) | 1n);
}
