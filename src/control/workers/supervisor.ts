/** The workers: starts them, gives all the same configuration, replaces those that die, drains and stops them. */
import type { Config } from "../../config/schema/schema.ts";
import { deadlineTickMs } from "../../limits.ts";
import type { ErrorLog } from "../../observe/error-log.ts";
import type { DiscoveredByIdentity } from "../../pool/discovered-attributes.ts";
import type { Pool } from "../../pool/pool.ts";
import type { ShadowReport } from "../../pool/shadow.ts";
import type { Credentials } from "../../proxy/admission/tenants/credentials.ts";
import type { ListeningSocket } from "../../proxy/client/listeners.ts";
import type { BoundAddress, IdleClients, WorkerQuestion } from "../../proxy/worker/messages.ts";
import type { QueueState } from "../../queue/pool-queues.ts";
import { QueueServer } from "../../queue/queue-server.ts";
import { type Clock, systemClock } from "../../transport/clock.ts";
import type { AskEngine } from "../polling/ask-engine.ts";
import { EnginePolling } from "../polling/engine-polling.ts";
import type { SignalState } from "../polling/load-poller.ts";
import { ServeError } from "../serve-error.ts";
import { EngineBoard } from "./engine-board.ts";
import { type AppliedConfig, MainPools } from "./main-pools.ts";
import { Restarts, type WorkerCounts } from "./restarts.ts";
import { shadowLine, sumOfShadows } from "./shadow-reports.ts";
import { removeStaleSockets } from "./stale-sockets.ts";
import { WorkerSet } from "./worker-set.ts";
import type { WorkerReceiver } from "./worker-thread.ts";

export interface SupervisorOptions extends Omit<WorkerReceiver, "queue"> {
  readonly workerEntry: URL;
  readonly workers: number;
  /** A worker that gives no sign of life for so long is replaced. */
  readonly workerHangMs: number;
  readonly log: ErrorLog;
  readonly clock: Pick<Clock, "nowMs">;
  /** Uniform in [0, 1). */
  random(): number;
  readonly ask: AskEngine;
  /** A worker cannot be ended, and new connections still come to it. */
  stuck(worker: number): void;
  /** Listening sockets of the process from which this one takes over; undefined = it takes over from none. */
  readonly inherited?: readonly ListeningSocket[] | undefined;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #board: EngineBoard;
  readonly #polling: EnginePolling;
  readonly #workers: WorkerSet;
  readonly #restarts: Restarts;
  /** Where requests of several workers wait. A single worker has a queue of its own. */
  readonly #queue: QueueServer | undefined;
  readonly #queueTicker: NodeJS.Timeout | undefined;
  #applied: AppliedConfig | undefined;
  readonly #pools: MainPools;
  #closing = false;

  constructor(options: SupervisorOptions) {
    const { workers, log, random } = options;
    this.#options = options;
    this.#board = new EngineBoard(workers);
    this.#pools = new MainPools({ board: this.#board.view, random });
    this.#polling = new EnginePolling({
      board: this.#board.view,
      shadowBoard: this.#board.shadowView,
      log: log.log.bind(log),
      ask: options.ask,
    });
    if (workers > 1) {
      const queue = new QueueServer(systemClock, log.log.bind(log));
      this.#queue = queue;
      this.#queueTicker = setInterval(() => queue.tick(), deadlineTickMs).unref();
    }
    this.#restarts = new Restarts({
      workers,
      hangMs: options.workerHangMs,
      log,
      nowMs: () => options.clock.nowMs(),
      ended: (worker) => this.#takeBack(worker),
      restart: (worker) => void this.#restart(worker),
      stuck: (worker) => options.stuck(worker),
    });
    this.#workers = new WorkerSet({
      entry: options.workerEntry,
      shared: {
        workers,
        scoreboard: this.#board.memory,
        shadows: this.#board.shadowMemory,
        metrics: this.#board.metricsMemory,
        tenants: this.#board.tenantMemory,
        zones: this.#board.zoneMemory,
        heartbeats: this.#restarts.heartbeats,
      },
      inherited: options.inherited,
      spans: options.spans,
      page: options.page,
      issuerKeys: options.issuerKeys,
      queue: (worker, message, reply) => this.#queue?.receive(worker, message, reply),
    });
  }

  /** Starts all workers. If one cannot serve, stops all and rejects with `ServeError`. */
  async start(config: Config, credentials: Credentials): Promise<readonly BoundAddress[]> {
    const applied = { config, credentials, slots: this.#board.assign(config) };
    this.#applied = applied;
    this.#board.use(applied.slots);
    this.#usePools(applied);
    const threads = this.#workers.startAll();
    try {
      const addresses = await this.#workers.apply(threads, applied);
      for (const thread of threads) {
        this.#restarts.watch(thread);
        this.#restarts.serves(thread);
      }
      this.#polling.use(config, applied.slots);
      return addresses;
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /**
   * Applies another configuration to all workers. If one cannot serve it, restores the old one and rejects with
   * `ServeError`.
   */
  async apply(config: Config, credentials: Credentials): Promise<readonly BoundAddress[]> {
    const old = this.#applied!;
    const next: AppliedConfig = { config, credentials, slots: this.#board.assign(config) };
    const [first, ...others] = this.#workers.living;
    if (first === undefined) throw new ServeError("no worker is alive", "GP_WORKER_ENDED");
    // Their counts start again with the new configuration.
    const shadows = await this.shadows();
    // Until all workers have the new configuration, some still ask for pools of the old one.
    this.#usePools(next, old);
    // Errors that hit every worker, such as an address in use, show at the first one, before any other has changed.
    const addresses = await this.#workers.apply([first], next).catch((error: Error) => {
      this.#usePools(old);
      throw error;
    });
    this.#applied = next;
    try {
      await this.#workers.apply(others, next);
    } catch (error) {
      await this.#restore(old);
      throw error;
    }
    this.#board.use(next.slots);
    this.#usePools(next);
    this.#logShadows(shadows);
    this.#polling.use(next.config, next.slots);
    return addresses;
  }

  /** What was discovered about the engines, for all workers. A worker that starts later gets it as well. */
  applyDiscovered(discovered: DiscoveredByIdentity): void {
    this.#pools.applyDiscovered(discovered);
    this.#workers.applyDiscovered(discovered);
  }

  /** Keys have been read again. */
  applyCredentials(credentials: Credentials): void {
    this.#applied = { ...this.#applied!, credentials };
    for (const thread of this.#workers.living) thread.applyCredentials(credentials);
  }

  get workers(): WorkerCounts {
    const { counts } = this.#restarts;
    return { alive: this.#workers.living.length, configured: this.#options.workers, ...counts };
  }

  /** Whether an engine, by its identity, has requests in flight, or holds a KV cache for one. */
  isBusy(identity: string): boolean {
    const slot = this.#applied?.slots[identity];
    return slot !== undefined && this.#board.isBusy(slot);
  }

  get pools(): readonly Pool[] {
    return this.#pools.all;
  }

  /** What workers have counted: what has become of requests, on the scoreboard and beside it. */
  get counted(): Pick<EngineBoard, "view" | "metrics"> {
    return this.#board;
  }

  /** Whether engines report their load, by identity; engines that are not polled are left out. */
  get signals(): ReadonlyMap<string, SignalState> {
    return this.#polling.signals;
  }

  /** The responses of those workers that have one. */
  async ask(question: WorkerQuestion): Promise<unknown[]> {
    const responses = await Promise.all(this.#workers.living.map((thread) => thread.ask(question)));
    return responses.filter((response) => response !== undefined);
  }

  /** The listening sockets of all workers; undefined = one did not respond, or none is alive. */
  sockets(): Promise<ListeningSocket[] | undefined> {
    return this.#workers.sockets();
  }

  /** What shadow policies would have done, summed over all workers. */
  async shadows(): Promise<ShadowReport[]> {
    const pools = Object.values(this.#applied?.config.pools ?? {});
    if (pools.every(({ shadow }) => shadow === undefined)) return [];
    return sumOfShadows((await this.ask({ about: "shadows" })) as ShadowReport[][]);
  }

  /** What waits, and what is known of the engines' caches, wherever the queue is. */
  async queue(): Promise<QueueState> {
    if (this.#queue !== undefined) return this.#queue.pools.state();
    const states = (await this.ask({ about: "queues" })) as (QueueState | undefined)[];
    return states.find((state) => state !== undefined) ?? { caches: [], queues: [] };
  }

  reopen(): void {
    for (const thread of this.#workers.living) thread.reopen();
  }

  /** Stops accepting and waits for the requests in flight. */
  async drain(timeoutMs: number, idle: IdleClients): Promise<void> {
    this.#close();
    await Promise.all(this.#workers.living.map((thread) => thread.drain(timeoutMs, idle)));
  }

  /** Call before `stop`: only living workers can report. */
  async logShadows(): Promise<void> {
    this.#logShadows(await this.shadows());
  }

  /** Resolves when all threads have ended. */
  async stop(): Promise<void> {
    this.#close();
    await Promise.all(this.#workers.living.map((thread) => thread.stop()));
    this.#restarts.stop();
  }

  /** Ends all threads at once, even if they hang. */
  kill(): void {
    this.#close();
    for (const thread of this.#workers.living) thread.kill();
  }

  #logShadows(reports: readonly ShadowReport[]): void {
    for (const report of reports) {
      if (report.picks > 0) this.#options.log.notice(shadowLine(report));
    }
  }

  #close(): void {
    this.#closing = true;
    this.#restarts.close();
    clearInterval(this.#queueTicker);
    this.#queue?.close();
    this.#polling.close();
  }

  #usePools(...configurations: readonly AppliedConfig[]): void {
    this.#pools.use(...configurations);
    this.#queue?.pools.use(this.#pools.all);
  }

  async #restore(old: AppliedConfig): Promise<void> {
    this.#applied = old;
    this.#usePools(old);
    await this.#workers.apply(this.#workers.living, old).catch((error: Error) => {
      this.#options.log.alert(`the old configuration could not be restored: ${error.message}`);
    });
  }

  /** What a worker that has ended had taken. */
  #takeBack(index: number): void {
    this.#board.closeRow(index);
    this.#queue?.workerEnded(index);
  }

  async #restart(index: number): Promise<void> {
    const { log } = this.#options;
    const thread = this.#workers.start(index);
    this.#restarts.watch(thread);
    try {
      let applied: AppliedConfig | undefined;
      // A reload may change the configuration meanwhile.
      while (applied !== this.#applied) {
        applied = this.#applied!;
        // Only worker 0 serves unix sockets: the dead one has left their files.
        if (index === 0) await removeStaleSockets(applied.config);
        await this.#workers.apply([thread], applied);
      }
      this.#restarts.serves(thread);
      log.notice(`worker ${index} is running again`);
    } catch (error) {
      if (this.#closing) return;
      log.alert(`worker ${index} cannot serve: ${(error as Error).message}`);
      // When it has ended, it is restarted after a longer delay.
      thread.kill();
    }
  }
}
