/** What one worker serves by: the compiled configuration, its connections, and the accounts that all requests share. */
import { TopLevel } from "../../body/json/top-level.ts";
import type { Config } from "../../config/schema/schema.ts";
import { countsMetrics } from "../../config/values/counts-metrics.ts";
import type { IdGenerator } from "../../dialects/dialect.ts";
import { callbackConnectionsMax, spareTopLevelsMax } from "../../limits.ts";
import type { MetricsMemory } from "../../observe/metrics/metrics-memory.ts";
import type { Address } from "../../pool/address.ts";
import type { DiscoveredByIdentity } from "../../pool/discovered-attributes.ts";
import type { Pool } from "../../pool/pool.ts";
import type { SlotsByIdentity } from "../../pool/slots.ts";
import { PoolQueues } from "../../queue/pool-queues.ts";
import type { QueueService } from "../../queue/queue-service.ts";
import type { RequestCounts } from "../../scoreboard/request-counts.ts";
import type { Clock } from "../../transport/clock.ts";
import { Deadlines, type Expirable } from "../../transport/deadlines.ts";
import type { Socket, Transport } from "../../transport/socket.ts";
import { noTls } from "../../transport/tls/settings.ts";
import { type Credentials, noCredentials } from "../admission/tenants/credentials.ts";
import type { TenantGate } from "../admission/tenants/gate.ts";
import { BodyBudget } from "../client/body-budget.ts";
import { CallbackConnection, type CallbackServer } from "../client/callback-connection.ts";
import { ClientConnection } from "../client/client-connection.ts";
import type { Client, ClientServices } from "../client/client-services.ts";
import { FirstBytes } from "../client/http2/first-bytes.ts";
import { PendingBudget } from "../client/pending-budget.ts";
import { RequestMetrics } from "../context/request-metrics.ts";
import { Scratch } from "../context/scratch.ts";
import { Callbacks } from "../pd/callbacks.ts";
import { KvLedger } from "../pd/kv/kv-ledger.ts";
import type { PageService } from "../request/page-service.ts";
import type { EngineLink } from "../upstream/connection/engine-link.ts";
import { EngineLinks, type LinkPool } from "../upstream/connection/engine-links.ts";
import type { Tokenizers } from "../upstream/connection/tokenizers.ts";
import { type CompileDeps, type CompiledConfig, compileConfig } from "./compiled-config.ts";
import { Explanations } from "./explanations.ts";
import { MemoryReclaimer } from "./memory-reclaimer.ts";
import type { IdleClients, WorkerQuestion } from "./messages.ts";
import type { PoolKeys } from "./pool-keys.ts";
import type { Recorder } from "./recorder.ts";
import { Reports } from "./reports.ts";
import { type Tracer, type TracerDeps, tracerOf } from "./tracer.ts";
import { WorkerMetrics } from "./worker-metrics.ts";

export interface WorkerDeps extends CompileDeps, TracerDeps {
  readonly transport: Transport;
  /** Where prompts of all workers wait, and who has pages of the whole proxy; undefined = this worker is alone. */
  readonly queue?: QueueService;
  readonly pages?: PageService;
  /** Where metrics are counted; undefined = nowhere. */
  readonly metrics?: MetricsMemory;
  /** Gives memory back that nothing refers to; undefined = the runtime does that by itself. */
  readonly collectGarbage?: () => void;
}

export class Worker implements CallbackServer, ClientServices {
  readonly clock: Clock;
  readonly ids: IdGenerator;
  readonly deadlines: Deadlines;
  readonly scratch = new Scratch();
  readonly bodies: BodyBudget;
  readonly pending: PendingBudget;
  readonly callbacks: Callbacks;
  readonly queue: QueueService;
  readonly pages: PageService | undefined;
  readonly kvLedger: KvLedger;
  readonly reports: Reports;
  readonly counts: RequestCounts;
  readonly explanations: Explanations;
  /** Undefined = requests are not traced. */
  tracer: Tracer | undefined;
  /** Undefined = nobody reads metrics of requests. */
  metrics: RequestMetrics | undefined;
  draining = false;
  closesIdle = false;
  readonly #deps: WorkerDeps;
  readonly #links: EngineLinks;
  readonly #memory: MemoryReclaimer;
  readonly #clients = new Set<Client>();
  readonly #callers = new Set<CallbackConnection>();
  readonly #topLevels: TopLevel[] = [];
  readonly #ownQueue: PoolQueues | undefined;
  readonly #own: WorkerMetrics | undefined;
  #config: CompiledConfig | undefined;
  #serial = 0;
  #onDrained: (() => void) | undefined;

  constructor(deps: WorkerDeps) {
    this.#deps = deps;
    this.#memory = new MemoryReclaimer(deps.collectGarbage ?? (() => {}));
    this.clock = deps.clock;
    this.explanations = new Explanations(deps.clock);
    this.ids = deps.ids;
    this.pages = deps.pages;
    this.counts = deps.board.requests;
    this.#own = deps.metrics && new WorkerMetrics(deps.metrics);
    this.reports = new Reports(deps.log, deps.clock);
    this.callbacks = new Callbacks(deps.ids);
    this.deadlines = new Deadlines(deps.clock.nowMs());
    this.#links = new EngineLinks(deps.transport, this.deadlines);
    if (deps.queue === undefined) this.#ownQueue = new PoolQueues(deps.clock, deps.log);
    this.kvLedger = new KvLedger(deps.board.kv, deps.clock, () => this.#checkDrained());
    this.queue = deps.queue ?? this.#ownQueue!;
    const released = (bytes: number) => this.#memory.released(bytes);
    this.bodies = new BodyBudget(() => this.#config?.config.bodyBytesTotalMax ?? 0, released);
    this.pending = new PendingBudget({ released, defer: queueMicrotask });
  }

  /** Serves by this configuration from now on. */
  apply(config: Config, slots: SlotsByIdentity, credentials: Credentials = noCredentials): void {
    const before = this.#config?.pools;
    this.#config = compileConfig(config, slots, this.#deps);
    this.applyCredentials(credentials);
    for (const [name, pool] of this.#config.pools) {
      const old = before?.get(name);
      if (old !== undefined) pool.adopt(old);
    }
    this.#ownQueue?.use(this.#config.pools.values());
    this.explanations.resize(config.admin?.explainedRequestsMax ?? 0);
    this.#links.use(this.#config.pools.values());
    this.#useMetrics(config);
    this.tracer = tracerOf(config.tracing, this.#deps, this.tracer);
  }

  /** Keys have been read again. */
  applyCredentials(credentials: Credentials): void {
    const { gate, pools } = this.#config!;
    gate?.use(credentials);
    this.#links.useTls(credentials.tls ?? noTls);
    for (const pool of pools.values()) pool.engineKey = credentials.engineKeys[pool.name] ?? "";
  }

  #useMetrics(config: Config): void {
    const { metrics: memory, clock } = this.#deps;
    if (memory === undefined || !countsMetrics(config)) this.metrics = undefined;
    else if (this.metrics === undefined)
      this.metrics = new RequestMetrics(memory, clock, config.metrics);
    else this.metrics.use(config.metrics);
  }

  /** Requests that this worker's own queue deals with; 0 if the queue is in the main thread. */
  get queueSize(): number {
    return this.#ownQueue?.size ?? 0;
  }

  /** To be called every `deadlineTickMs`. */
  tick(): void {
    const nowMs = this.clock.nowMs();
    this.deadlines.tick(nowMs);
    this.#memory.tick(nowMs);
    this.#ownQueue?.tick();
    this.tracer?.flush();
    this.#own?.tick(nowMs, {
      connections: this.#clients.size,
      idleConnections: this.#links.idleCount,
      bodyBytes: this.bodies.bytes,
      unsentBytes: this.pending.bytes,
    });
  }

  /** What is known of the engines now. */
  applyDiscovered(discovered: DiscoveredByIdentity): void {
    for (const pool of this.#config?.pools.values() ?? []) pool.applyDiscovered(discovered);
  }

  accept(socket: Socket, listenKey: string): void {
    if (this.#clients.size >= this.#config!.config.connectionsMax || this.draining) {
      socket.destroy();
      this.#own?.count("rejected");
      return;
    }
    this.#own?.count("accepted");
    let servers = this.#config!.servers.get(listenKey)!;
    // A listener that a reload took away has no servers any more: its connections keep the last ones.
    const current = () => {
      servers = this.#config!.servers.get(listenKey) ?? servers;
      return servers;
    };
    const Connection = servers.speaksHttp2 ? FirstBytes : ClientConnection;
    this.#clients.add(new Connection(socket, this, current));
  }

  /** A decode engine that calls back; also while draining, for what is in flight. */
  acceptCaller(socket: Socket): void {
    if (this.#callers.size >= callbackConnectionsMax) socket.destroy();
    else this.#callers.add(new CallbackConnection(socket, this));
  }

  forgetCaller(connection: CallbackConnection): void {
    this.#callers.delete(connection);
  }

  adopt(client: Client): void {
    this.#clients.add(client);
  }

  forget(client: Client): void {
    this.#clients.delete(client);
    this.#checkDrained();
  }

  get #isDrained(): boolean {
    return this.draining && this.#clients.size === 0 && this.kvLedger.releasing === 0;
  }

  #checkDrained(): void {
    if (this.#isDrained) this.#onDrained?.();
  }

  get clientCount(): number {
    return this.#clients.size;
  }

  /** Finishes what is in flight; resolves when the last client is gone and its KV cache freed, or the time is up. */
  drain(timeoutMs: number, idle: IdleClients = "close"): Promise<void> {
    this.draining = true;
    this.closesIdle = idle === "close";
    this.#ownQueue?.drain();
    return new Promise((resolve) => {
      this.#onDrained = resolve;
      if (this.closesIdle) for (const client of [...this.#clients]) client.drain();
      if (this.#isDrained) resolve();
      if (timeoutMs === 0) return;
      const over: Expirable = {
        deadlineMs: this.deadlines.dueIn(timeoutMs),
        deadlineIndex: -1,
        expired: () => {
          this.deadlines.remove(over);
          resolve();
        },
      };
      this.deadlines.add(over);
    });
  }

  stop(): void {
    this.draining = true;
    this.closesIdle = true;
    for (const client of [...this.#clients]) client.stop();
    for (const caller of [...this.#callers]) caller.close();
    this.#links.close();
    this.#ownQueue?.close();
    this.tracer?.flush();
  }

  /** What an operator asks. */
  tell(question: Exclude<WorkerQuestion, { about: "sockets" }>): unknown {
    switch (question.about) {
      case "request":
        return this.explanations.find(question.requestId)?.toJson();
      case "requests":
        return this.explanations.lists();
      case "queues":
        return this.#ownQueue?.state();
      case "shadows":
        return [...this.#config!.pools.values()].flatMap((pool) => pool.shadowReport() ?? []);
    }
  }

  /** Where traffic is written to as a trace. */
  get recorder(): Recorder | undefined {
    return this.#config?.recorder;
  }

  nextSerial(): number {
    this.#serial += 1;
    return this.#serial;
  }

  link(address: Address, pool: LinkPool): EngineLink {
    return this.#links.get(address, pool);
  }

  get gate(): TenantGate | undefined {
    return this.#config!.gate;
  }

  get poolKeys(): PoolKeys {
    return this.#config!.poolKeys;
  }

  /** Who is asked for the tokens of the pool's prompts; undefined = nobody. */
  tokenizers(pool: Pool): Tokenizers | undefined {
    return this.#config!.tokenizers.get(pool);
  }

  /** Whether any pool has a queue or tokenises: looking for that costs 3 % of a request. */
  get hasAdmissionSteps(): boolean {
    return this.#config!.hasAdmissionSteps;
  }

  /** Scans are as large as bodies have members, so they are reused. */
  takeTopLevel(): TopLevel {
    return this.#topLevels.pop() ?? new TopLevel();
  }
  giveTopLevel(members: TopLevel): void {
    members.clear();
    if (this.#topLevels.length < spareTopLevelsMax) this.#topLevels.push(members);
  }
}
