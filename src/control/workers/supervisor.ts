/**
 * The set of workers: starts them, gives all of them the same configuration, replaces those that die, drains and stops
 * them.
 */
import { randomBytes } from "node:crypto";
import type { Config } from "../../config/schema/schema.ts";
import { deadlineTickMs } from "../../limits.ts";
import type { ErrorLog } from "../../observe/error-log.ts";
import type { DiscoveredByIdentity } from "../../pool/discovered-attributes.ts";
import type { Pool } from "../../pool/pool.ts";
import type { ShadowReport } from "../../pool/shadow.ts";
import type { BoundAddress, WorkerQuestion } from "../../proxy/worker/messages.ts";
import type { QueueState } from "../../queue/pool-queues.ts";
import { QueueServer } from "../../queue/queue-server.ts";
import { type Clock, systemClock } from "../../transport/clock.ts";
import { LoadPoller, type SignalState } from "../polling/load-poller.ts";
import { ServeError } from "../serve-error.ts";
import { EngineBoard } from "./engine-board.ts";
import { type AppliedConfig, MainPools } from "./main-pools.ts";
import { configOfWorker, withRecordSalt } from "./ready-config.ts";
import { Restarts } from "./restarts.ts";
import { shadowLine, sumOfShadows } from "./shadow-reports.ts";
import { removeStaleSockets } from "./stale-sockets.ts";
import { WorkerThread } from "./worker-thread.ts";

export interface SupervisorOptions {
  readonly workerEntry: URL;
  readonly workers: number;
  readonly log: ErrorLog;
  readonly clock: Pick<Clock, "nowMs">;
  /** Uniform in [0, 1). */
  random(): number;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #board: EngineBoard;
  readonly #poller: LoadPoller;
  readonly #threads: (WorkerThread | undefined)[];
  readonly #restarts: Restarts;
  /** Where requests of several workers wait. A single worker has a queue of its own. */
  readonly #queue: QueueServer | undefined;
  readonly #queueTicker: NodeJS.Timeout | undefined;
  readonly #recordSalt = randomBytes(16).toString("hex");
  #applied: AppliedConfig | undefined;
  #discovered: DiscoveredByIdentity = {};
  readonly #pools: MainPools;
  #generation = 0;
  #closing = false;

  constructor(options: SupervisorOptions) {
    const { workers, log, random } = options;
    this.#options = options;
    this.#board = new EngineBoard(workers);
    this.#pools = new MainPools({ board: this.#board.view, random });
    this.#poller = new LoadPoller({
      board: this.#board.view,
      shadowBoard: this.#board.shadowView,
      log: (level, message) => log.log(level, message),
    });
    if (workers > 1) {
      const queue = new QueueServer(systemClock, (level, message) => log.log(level, message));
      this.#queue = queue;
      this.#queueTicker = setInterval(() => queue.tick(), deadlineTickMs).unref();
    }
    this.#threads = new Array<WorkerThread | undefined>(workers).fill(undefined);
    this.#restarts = new Restarts(workers);
  }

  /** Starts all workers. If one cannot serve, stops all and rejects with `ServeError`. */
  async start(config: Config): Promise<readonly BoundAddress[]> {
    this.#applied = { config, slots: this.#board.assign(config) };
    this.#board.use(this.#applied.slots);
    this.#usePools(this.#applied);
    const threads = this.#threads.map((_, index) => this.#spawn(index));
    try {
      const addresses = await this.#applyTo(threads, this.#applied);
      for (const thread of threads) this.#watch(thread);
      this.#poller.use(config, this.#applied.slots);
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
  async apply(config: Config): Promise<readonly BoundAddress[]> {
    const old = this.#applied!;
    const next: AppliedConfig = { config, slots: this.#board.assign(config) };
    const [first, ...others] = this.#living();
    if (first === undefined) throw new ServeError("no worker is alive", "GP_WORKER_ENDED");
    // Their counts start again with the new configuration.
    const shadows = await this.shadows();
    // Until all workers have the new configuration, some still ask for pools of the old one.
    this.#usePools(next, old);
    // Errors that hit every worker, such as an address in use, show at the first one, before any other has changed.
    const addresses = await this.#applyTo([first], next).catch((error: Error) => {
      this.#usePools(old);
      throw error;
    });
    this.#applied = next;
    try {
      await this.#applyTo(others, next);
    } catch (error) {
      await this.#restore(old);
      throw error;
    }
    this.#board.use(next.slots);
    this.#usePools(next);
    this.#logShadows(shadows);
    this.#poller.use(next.config, next.slots);
    return addresses;
  }

  /** What was discovered about the engines, for all workers. A worker that starts later gets it as well. */
  applyDiscovered(discovered: DiscoveredByIdentity): void {
    this.#discovered = discovered;
    this.#pools.applyDiscovered(discovered);
    for (const thread of this.#living()) thread.applyDiscovered(discovered);
  }

  get workers(): { readonly alive: number; readonly configured: number } {
    return { alive: this.#living().length, configured: this.#options.workers };
  }

  get pools(): readonly Pool[] {
    return this.#pools.all;
  }

  /** Whether engines report their load, by identity; engines that are not polled are left out. */
  get signals(): ReadonlyMap<string, SignalState> {
    return this.#poller.states;
  }

  /** The responses of those workers that have one. */
  async ask(question: WorkerQuestion): Promise<unknown[]> {
    const responses = await Promise.all(this.#living().map((thread) => thread.ask(question)));
    return responses.filter((response) => response !== undefined);
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
    for (const thread of this.#living()) thread.reopen();
  }

  /** Stops accepting and waits for the requests in flight. */
  async drain(timeoutMs: number): Promise<void> {
    this.#close();
    await Promise.all(this.#living().map((thread) => thread.drain(timeoutMs)));
  }

  /** Call before `stop`: only living workers can report. */
  async logShadows(): Promise<void> {
    this.#logShadows(await this.shadows());
  }

  /** Resolves when all threads have ended. */
  async stop(): Promise<void> {
    this.#close();
    await Promise.all(this.#living().map((thread) => thread.stop()));
  }

  /** Ends all threads at once, even if they hang. */
  kill(): void {
    this.#close();
    for (const thread of this.#living()) thread.kill();
  }

  #logShadows(reports: readonly ShadowReport[]): void {
    for (const report of reports) {
      if (report.picks > 0) this.#options.log.notice(shadowLine(report));
    }
  }

  #living(): WorkerThread[] {
    return this.#threads.filter((thread) => thread !== undefined);
  }

  #close(): void {
    this.#closing = true;
    this.#restarts.close();
    clearInterval(this.#queueTicker);
    this.#queue?.close();
    this.#poller.close();
  }

  #usePools(...configurations: readonly AppliedConfig[]): void {
    this.#pools.use(...configurations);
    this.#queue?.pools.use(this.#pools.all);
  }

  async #restore(old: AppliedConfig): Promise<void> {
    this.#applied = old;
    this.#usePools(old);
    await this.#applyTo(this.#living(), old).catch((error: Error) => {
      this.#options.log.alert(`the old configuration could not be restored: ${error.message}`);
    });
  }

  #spawn(index: number): WorkerThread {
    const data = {
      workerIndex: index,
      workers: this.#options.workers,
      scoreboard: this.#board.memory,
      shadows: this.#board.shadowMemory,
    };
    const thread = new WorkerThread(this.#options.workerEntry, data, (message, reply) =>
      this.#queue?.receive(index, message, reply),
    );
    this.#threads[index] = thread;
    void thread.ended.then(() => {
      if (this.#threads[index] === thread) this.#threads[index] = undefined;
    });
    return thread;
  }

  /** All must succeed. @returns the addresses that the first of these workers has bound */
  async #applyTo(threads: readonly WorkerThread[], { config, slots }: AppliedConfig) {
    this.#generation += 1;
    const generation = this.#generation;
    const responses = await Promise.all(
      threads.map((thread) =>
        thread.apply({
          type: "apply",
          config: withRecordSalt(configOfWorker(config, thread.index), this.#recordSalt),
          generation,
          slots,
          discovered: this.#discovered,
        }),
      ),
    );
    for (const response of responses) {
      if ("failed" in response) throw new ServeError(response.failed, response.code);
    }
    const [first] = responses;
    return first !== undefined && "addresses" in first ? first.addresses : [];
  }

  #watch(thread: WorkerThread): void {
    const { nowMs } = this.#options.clock;
    const startMs = nowMs();
    void thread.ended.then((cause) => {
      if (!this.#closing) this.#replace(thread, nowMs() - startMs, cause);
    });
  }

  #replace({ index }: WorkerThread, livedMs: number, cause: string): void {
    this.#board.closeRow(index);
    this.#queue?.workerEnded(index);
    const delayMs = this.#restarts.schedule(index, livedMs, () => void this.#restart(index));
    this.#options.log.alert(`worker ${index} died, restarting it in ${delayMs} ms: ${cause}`);
  }

  async #restart(index: number): Promise<void> {
    const { log } = this.#options;
    const thread = this.#spawn(index);
    this.#watch(thread);
    try {
      let applied: AppliedConfig | undefined;
      // A reload may change the configuration meanwhile.
      while (applied !== this.#applied) {
        applied = this.#applied!;
        // Only worker 0 serves unix sockets: the dead one has left their files.
        if (index === 0) await removeStaleSockets(applied.config);
        await this.#applyTo([thread], applied);
      }
      log.notice(`worker ${index} is running again`);
    } catch (error) {
      if (this.#closing) return;
      log.alert(`worker ${index} cannot serve: ${(error as Error).message}`);
      // When it has ended, it is restarted after a longer delay.
      thread.kill();
    }
  }
}
