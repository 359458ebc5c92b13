/** What all requests of one engine share: its queue, its KV, its counters, and the state that it shows of them. */

import { randomUUID } from "node:crypto";
import type { EngineContext, EngineDialect } from "../dialects/dialect.ts";
import { type Embeddings, embeddingsOf } from "../dialects/encoder/embeddings.ts";
import { encoder } from "../dialects/encoder/encoder.ts";
import { chooseDialect } from "../dialects/registry.ts";
import { isInferencePath } from "../endpoints/registry.ts";
import { StoredResponses } from "../endpoints/responses/stored-responses.ts";
import { FaultBook } from "../faults/fault-book.ts";
import { Connections } from "../http/connections.ts";
import { PeerClient } from "../http/peers.ts";
import { KvPublisher } from "../kv/kv-publisher.ts";
import { KvStore } from "../kv/kv-store.ts";
import { blockTokens, PrefixCache } from "../kv/prefix-cache.ts";
import { Rendezvous } from "../kv/rendezvous.ts";
import { kvBytesPerToken, kvCapacityTokens, kvEntriesMax, namesShownMax } from "../limits.ts";
import type { ResolvedOptions } from "../options.ts";
import type { InferenceRequest, Served } from "../request/inference-request.ts";
import type { EngineFamily, EngineRole } from "../roles.ts";
import { EngineCounters } from "./counters.ts";
import { EngineMetrics } from "./metrics.ts";
import { Scheduler } from "./scheduler.ts";
import type { EngineState, Phase } from "./state.ts";

/** A request in the engine, as far as the core needs it. */
export interface ActiveRequest {
  readonly phase: Phase;
  /** The engine closes. */
  abort(): void;
}

export class EngineCore implements EngineContext {
  readonly options: ResolvedOptions;
  readonly engineId: string = randomUUID();
  readonly scheduler: Scheduler;
  readonly dialect: EngineDialect;
  /** Undefined = images are encoded here, where the prompt is computed. */
  readonly embeddings: Embeddings | undefined;
  readonly kvStore: KvStore;
  readonly connections: Connections;
  readonly peers: PeerClient;
  readonly faults = new FaultBook(isInferencePath);
  /** Names of the LoRA adapters that are loaded. */
  readonly adapters: Set<string>;
  readonly metrics = new EngineMetrics();
  readonly counts = new EngineCounters();
  readonly responses = new StoredResponses();
  /** KV that is in use for nobody, by the fault `leak`. */
  leakedTokens = 0;
  readonly address: { readonly host: string; port: number; sidePort: number };
  /** Publishes what enters and leaves the prefix cache; undefined = nothing is published. */
  readonly publisher: KvPublisher | undefined;
  /** vLLM's name of the KV connector; undefined = the dialect has none. */
  readonly connector: string | undefined;
  readonly #dialectName: string;
  readonly #requests = new Set<ActiveRequest>();
  readonly #prefixCache: PrefixCache | undefined;
  readonly #rendezvous: Pick<Rendezvous<unknown>, "waiting" | "timedOut" | "close">[] = [];

  /** Throws an Error for an unknown dialect, or for one that has no such role or settings. */
  constructor(options: ResolvedOptions) {
    const { clock, host } = options;
    this.options = options;
    // What others connect to when the engine listens on all addresses.
    const everywhere = host === "0.0.0.0" || host === "::";
    this.address = { host: everywhere ? "127.0.0.1" : host, port: 0, sidePort: 0 };
    this.peers = new PeerClient(clock);
    this.scheduler = new Scheduler(clock, options, () => this.faults.slowdown(clock.now()));
    this.connections = new Connections(clock, options.keepAliveMs);
    const { ecTransfer } = options;
    this.embeddings = ecTransfer === "" ? undefined : embeddingsOf(ecTransfer, this);
    const { name, dialect, connector } = this.#createDialect();
    this.#dialectName = name;
    this.connector = connector;
    this.dialect = dialect;
    const leaseMs = options.kvLeaseMs ?? dialect.kvLeaseMs;
    this.kvStore = new KvStore(clock, leaseMs, kvEntriesMax);
    if (options.kvEvents > 0 || options.kvEventsTo !== "")
      this.publisher = new KvPublisher({ topic: options.kvTopic, nowMs: () => clock.wallMs() });
    if (options.prefixCache || this.publisher !== undefined) {
      const blocks = Math.floor(options.kvCacheTokens / blockTokens);
      this.#prefixCache = new PrefixCache(blocks, this.publisher);
    }
    this.adapters = new Set(options.adapters);
    for (const fault of options.faults) this.faults.set(fault, clock.now());
  }

  #createDialect(): { name: string; dialect: EngineDialect; connector?: string | undefined } {
    const { role } = this.options;
    const { dialect, settings } =
      typeof this.options.dialect === "string"
        ? chooseDialect(this.options.dialect)
        : { dialect: this.options.dialect, settings: {} };
    if (role === "encode") {
      if (this.embeddings === undefined) throw new Error("an encode engine needs an ec-transfer");
      return { name: "encode", dialect: encoder(this, this.embeddings) };
    }
    if (!dialect.roles.includes(role)) {
      throw new Error(`dialect "${dialect.name}" has no role "${role}"`);
    }
    const { name, connector } = dialect;
    return { name, dialect: dialect.create(this, settings), connector };
  }

  get family(): EngineFamily {
    return this.dialect.family ?? "vllm";
  }

  get served(): Served {
    const { model, maxModelLen, eosAfterTokens } = this.options;
    const { family, adapters } = this;
    return { family, model, adapters, maxModelLen, eosAfterTokens };
  }

  get role(): EngineRole {
    return this.options.role;
  }

  newRendezvous<T>(): Rendezvous<T> {
    const rendezvous = new Rendezvous<T>(this.options.clock, kvEntriesMax);
    this.#rendezvous.push(rendezvous);
    return rendezvous;
  }

  sleep(delayMs: number, signal: AbortSignal): Promise<void> {
    if (delayMs === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const cancel = this.options.clock.after(delayMs, () => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      });
      const onAbort = (): void => {
        cancel();
        reject(signal.reason);
      };
      signal.addEventListener("abort", onAbort);
    });
  }

  violation(text: string): void {
    this.counts.countViolation(text);
  }

  get requestCount(): number {
    return this.#requests.size;
  }

  add(request: ActiveRequest): void {
    this.#requests.add(request);
  }

  remove(request: ActiveRequest): void {
    this.#requests.delete(request);
  }

  /** Tokens of the prompts that need no prefill. */
  visitPrefixCache(request: InferenceRequest): number {
    this.metrics.prefixQueriedTokens += request.promptTokens;
    if (this.#prefixCache === undefined) return 0;
    let cached = 0;
    for (const { bytes } of request.prompts) cached += this.#prefixCache.visit(bytes);
    this.metrics.prefixHitTokens += cached;
    // The last token is always computed, because the first new token comes from its result.
    return Math.min(cached, request.promptTokens - 1);
  }

  createdSeconds(): number {
    const { created, clock } = this.options;
    return created === "now" ? Math.floor(clock.wallMs() / 1_000) : created;
  }

  /** A client has left: by the fault `leak`, the KV of its prompt stays in use. */
  leak(promptTokens: number): void {
    if (this.faults.leaks(this.options.clock.now())) this.leakedTokens += promptTokens;
  }

  /** Share of the KV cache in use, 0 to 1. */
  get kvUsage(): number {
    return Math.min(1, (this.kvStore.tokens + this.leakedTokens) / kvCapacityTokens);
  }

  renderMetrics(): string {
    return this.metrics.render(this.options.model, {
      ...this.load,
      kvUsage: this.kvUsage,
      blockTokens,
      blocks: kvCapacityTokens / blockTokens,
    });
  }

  state(): EngineState {
    const { kvStore } = this;
    return {
      role: this.role,
      dialect: this.#dialectName,
      engineId: this.engineId,
      model: this.options.model,
      held: kvStore.size,
      heldBytes: kvStore.tokens * kvBytesPerToken,
      leakedTokens: this.leakedTokens,
      heldIds: kvStore.ids(namesShownMax),
      ...kvStore.counts,
      refused: { ...kvStore.counts.refused },
      ...this.counts.state(),
      ...this.#waits(),
      connectionsAccepted: this.connections.accepted,
      connectionsOpen: this.connections.open,
      ...this.load,
      faults: this.faults.list(this.options.clock.now()),
    };
  }

  close(): void {
    for (const request of [...this.#requests]) request.abort();
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
    for (const { phase } of this.#requests) if (phase === "waiting") waiting++;
    return { running: this.#requests.size - waiting, waiting };
  }
}
