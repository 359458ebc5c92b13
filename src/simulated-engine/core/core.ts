/** What all requests of one engine share: its queue, its KV, its counters, and the state that it shows of them. */

import { randomUUID } from "node:crypto";
import type { EngineContext, EngineDialect, EngineFamily } from "../dialects/dialect.ts";
import { encoder } from "../dialects/encoder.ts";
import { chooseDialect } from "../dialects/registry.ts";
import type { PullOutcome } from "../dialects/vllm/kv-pull.ts";
import { Connections } from "../http/connections.ts";
import { PeerClient } from "../http/peers.ts";
import { KvPublisher } from "../kv/kv-publisher.ts";
import { type KvRefusal, KvStore } from "../kv/kv-store.ts";
import { blockTokens, PrefixCache } from "../kv/prefix-cache.ts";
import { Rendezvous } from "../kv/rendezvous.ts";
import { type Embeddings, embeddingsOf } from "../model/embeddings.ts";
import {
  type EngineRole,
  heldKvMax,
  kvBytesPerToken,
  kvCapacityTokens,
  namesShownMax,
  type ResolvedOptions,
  requestIdsMax,
  violationTextsMax,
} from "../options.ts";
import { type Fault, FaultBook } from "./faults.ts";
import type { InferenceRequest } from "./inference-request.ts";
import type { InferenceJob, Phase } from "./job.ts";
import { EngineMetrics } from "./metrics.ts";
import { StoredResponses } from "./stored-responses.ts";
import { Scheduler } from "./timing.ts";

/** The answer of `GET /debug/state`. Counts are since the start of the engine. */
export interface EngineState {
  readonly role: EngineRole;
  readonly dialect: string;
  readonly engineId: string;
  readonly model: string;
  /** KV held now: prompts, their bytes, and the oldest ids. */
  readonly held: number;
  readonly bufferedBytes: number;
  readonly heldIds: readonly string[];
  /** KV ever held; each ends as one of the four below. */
  readonly stored: number;
  readonly fetched: number;
  readonly released: number;
  readonly expired: number;
  readonly evicted: number;
  /** Leases of held KV that a decode engine has renewed. */
  readonly renewed: number;
  /** Fetches that this engine turned down as the one that holds the KV. */
  readonly refused: Readonly<Record<KvRefusal, number>>;
  /** Requests whose KV came from another engine. */
  readonly remotePrefills: number;
  /** Prompts that this engine computed although a prefill engine should have, by reason. */
  readonly recomputed: Readonly<RecomputeCounts>;
  /** Requests that the engine ended with an error after it had accepted them. */
  readonly failed: number;
  /** What requests wait for that another engine has to bring: how many, and the oldest names. */
  readonly rendezvousWaiting: number;
  readonly rendezvousNames: readonly string[];
  /** Waits for another engine that ended without it. */
  readonly rendezvousTimedOut: number;
  /** Requests whose client went away, by what was under way then. */
  readonly aborted: Readonly<Record<AbortPhase, number>>;
  readonly running: number;
  readonly waiting: number;
  /** Inference requests whose body arrived, also refused ones. */
  readonly requestsSeen: number;
  /** What a proxy that keeps to the protocol does not do: how often, and the last of it in words. */
  readonly protocolViolations: number;
  readonly violations: readonly string[];
  /** Connections to the HTTP port, without those that carried `/debug`; the KV port has its own. */
  readonly connectionsAccepted: number;
  readonly connectionsOpen: number;
  /** `X-Request-Id` of the last inference requests, oldest first; `""` when there was none. */
  readonly requestIds: readonly string[];
  readonly faults: readonly Fault[];
}

/** The reasons that most dialects know; a dialect may have its own. */
type RecomputeCounts = Record<Exclude<PullOutcome, "ok"> | "missing_params", number> &
  Record<string, number>;

/** `receiving`: the body had not arrived in full. */
export type AbortPhase = "receiving" | Exclude<Phase, "done">;

export class EngineCore implements EngineContext {
  readonly options: ResolvedOptions;
  readonly engineId: string = randomUUID();
  readonly scheduler: Scheduler;
  readonly dialect: EngineDialect;
  /** Undefined = images are encoded here, where the prompt is computed. */
  readonly embeddings: Embeddings | undefined;
  readonly kvStore: KvStore;
  readonly connections: Connections;
  readonly peers = new PeerClient();
  readonly faults = new FaultBook();
  readonly metrics = new EngineMetrics();
  readonly responses = new StoredResponses();
  readonly address: { readonly host: string; port: number; sidePort: number };
  readonly counts = {
    requestsSeen: 0,
    remotePrefills: 0,
    failed: 0,
    protocolViolations: 0,
    recomputed: {
      missing_params: 0,
      wrong_prompt: 0,
      unknown: 0,
      mangled_params: 0,
      fetch_failed: 0,
    } as RecomputeCounts,
    aborted: { receiving: 0, waiting: 0, prefilling: 0, streaming: 0 } as Record<
      AbortPhase,
      number
    >,
  };
  /** Tells of the prefix cache; undefined = nobody is told. */
  readonly publisher: KvPublisher | undefined;
  readonly #dialectName: string;
  readonly #jobs = new Set<InferenceJob>();
  readonly #prefixCache: PrefixCache | undefined;
  readonly #requestIds: string[] = [];
  readonly #violations: string[] = [];
  readonly #rendezvous: Pick<Rendezvous<unknown>, "waiting" | "timedOut" | "close">[] = [];

  /** Throws an Error for a dialect that there is not, or that has no such role or settings. */
  constructor(options: ResolvedOptions) {
    const { clock, host, role } = options;
    this.options = options;
    // What others connect to when the engine listens on all addresses.
    const everywhere = host === "0.0.0.0" || host === "::";
    this.address = { host: everywhere ? "127.0.0.1" : host, port: 0, sidePort: 0 };
    this.scheduler = new Scheduler(clock, options);
    this.connections = new Connections(clock, options.keepAliveMs);
    const { ecTransfer } = options;
    this.embeddings = ecTransfer === "" ? undefined : embeddingsOf(ecTransfer, this);
    const { dialect, settings } =
      typeof options.dialect === "string"
        ? chooseDialect(options.dialect)
        : { dialect: options.dialect, settings: {} };
    if (role === "encode") {
      if (this.embeddings === undefined) throw new Error("an encode engine needs an ec-transfer");
      this.#dialectName = "encode";
      this.dialect = encoder(this, this.embeddings);
    } else {
      if (!dialect.roles.includes(role)) {
        throw new Error(`dialect "${dialect.name}" has no role "${role}"`);
      }
      this.#dialectName = dialect.name;
      this.dialect = dialect.create(this, settings);
    }
    const leaseMs = options.kvLeaseMs ?? this.dialect.kvLeaseMs;
    this.kvStore = new KvStore(clock, leaseMs, heldKvMax);
    if (options.kvEvents > 0) this.publisher = new KvPublisher();
    if (options.prefixCache || options.kvEvents > 0) {
      const blocks = Math.floor(options.kvCacheTokens / blockTokens);
      this.#prefixCache = new PrefixCache(blocks, this.publisher);
    }
    for (const fault of options.faults) this.faults.set(fault, clock.now());
  }

  get family(): EngineFamily {
    return this.dialect.family ?? "vllm";
  }

  get role(): EngineRole {
    return this.options.role;
  }

  newRendezvous<T>(): Rendezvous<T> {
    const rendezvous = new Rendezvous<T>(this.options.clock, heldKvMax);
    this.#rendezvous.push(rendezvous);
    return rendezvous;
  }

  sleep(delayMs: number, gone: AbortSignal): Promise<void> {
    if (delayMs === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const cancel = this.options.clock.after(delayMs, () => {
        gone.removeEventListener("abort", onGone);
        resolve();
      });
      const onGone = (): void => {
        cancel();
        reject(gone.reason);
      };
      gone.addEventListener("abort", onGone);
    });
  }

  violation(text: string): void {
    this.counts.protocolViolations++;
    this.#violations.push(text);
    if (this.#violations.length > violationTextsMax) this.#violations.shift();
  }

  countRecompute(reason: string): void {
    this.counts.recomputed[reason] = (this.counts.recomputed[reason] ?? 0) + 1;
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

  createdSeconds(): number {
    const { created } = this.options;
    return created === "now" ? Math.floor(Date.now() / 1_000) : created;
  }

  renderMetrics(): string {
    return this.metrics.render(this.options.model, {
      ...this.load,
      kvUsage: Math.min(1, this.kvStore.heldTokens / kvCapacityTokens),
      blockTokens,
      blocks: kvCapacityTokens / blockTokens,
    });
  }

  state(): EngineState {
    const { counts, kvStore } = this;
    return {
      role: this.role,
      dialect: this.#dialectName,
      engineId: this.engineId,
      model: this.options.model,
      held: kvStore.held,
      bufferedBytes: kvStore.heldTokens * kvBytesPerToken,
      heldIds: kvStore.heldIds(namesShownMax),
      ...kvStore.counts,
      refused: { ...kvStore.counts.refused },
      ...counts,
      recomputed: { ...counts.recomputed },
      aborted: { ...counts.aborted },
      violations: [...this.#violations],
      ...this.#waits(),
      connectionsAccepted: this.connections.accepted,
      connectionsOpen: this.connections.open,
      ...this.load,
      requestIds: this.#requestIds.slice(-requestIdsMax),
      faults: this.faults.list(this.options.clock.now()),
    };
  }

  close(): void {
    for (const job of [...this.#jobs]) job.abort();
    this.scheduler.close();
    this.dialect.close?.();
    for (const rendezvous of this.#rendezvous) rendezvous.close();
    this.kvStore.close();
    this.peers.close();
  }

  #waits() {
    const names = this.#rendezvous.flatMap((rendezvous) => rendezvous.waiting);
    return {
      rendezvousWaiting: names.length,
      rendezvousNames: names.slice(0, namesShownMax),
      rendezvousTimedOut: this.#rendezvous.reduce((sum, { timedOut }) => sum + timedOut, 0),
    };
  }

  get load(): { running: number; waiting: number } {
    let waiting = 0;
    for (const job of this.#jobs) if (job.phase === "waiting") waiting++;
    return { running: this.#jobs.size - waiting, waiting };
  }
}
