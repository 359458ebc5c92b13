/** The set of workers: starts them, hands all of them the same configuration, replaces those that die, drains and stops them. */
import { randomBytes } from "node:crypto";
import type { Config } from "../../config/schema/schema.ts";
import type { ErrorLog } from "../../observe/error-log.ts";
import type { DiscoveredByIdentity } from "../../pool/discovered-attributes.ts";
import { Pool } from "../../pool/pool.ts";
import type { ShadowReport } from "../../pool/shadow.ts";
import type { SlotsByIdentity } from "../../pool/slots.ts";
import type { BoundAddress, WorkerQuestion } from "../../proxy/worker/messages.ts";
import type { QueueState } from "../../queue/pool-queues.ts";
import { QueueServer } from "../../queue/queue-server.ts";
import { shadowLine, sumOfShadows } from "../admin/shadows.ts";
import { LoadPoller, type SignalState } from "../polling/load-poller.ts";
import { removeStaleSockets } from "../process/stale-socket.ts";
import { EngineBoard } from "./engine-board.ts";
import { configOfWorker, ServeError, withRecordSalt } from "./ready-config.ts";
import { WorkerThread } from "./worker-thread.ts";

export interface SupervisorOptions {
  readonly workerEntry: URL;
  readonly workers: number;
  readonly log: ErrorLog;
}

/** Between the deaths of a worker and its replacement: doubles with each death, up to the bound. */
const restartDelayMs = 100;
const restartDelayMaxMs = 10_000;
/** A worker that lived this long is no longer counted as dying repeatedly. */
const healthyMs = 60_000;

/** A configuration as it is in force. */
interface Applied {
  readonly config: Config;
  readonly slots: SlotsByIdentity;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #board: EngineBoard;
  readonly #poller: LoadPoller;
  readonly #threads: (WorkerThread | undefined)[];
  readonly #deaths: number[];
  /** Where prompts of several workers wait; one alone holds its own. */
  readonly #queue: QueueServer | undefined;
  readonly #restarts = new Set<NodeJS.Timeout>();
  readonly #recordSalt = randomBytes(16).toString("hex");
  #applied: Applied | undefined;
  #discovered: DiscoveredByIdentity = {};
  /** To look at their load, and for prompts that are held here. */
  readonly #pools = new Map<string, Pool>();
  #generation = 0;
  #closing = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#board = new EngineBoard(options.workers);
    this.#poller = new LoadPoller({
      board: this.#board.view,
      shadowBoard: this.#board.shadowView,
      log: (level, message) => options.log.log(level, message),
    });
    if (options.workers > 1) {
      this.#queue = new QueueServer((level, message) => options.log.log(level, message));
    }
    this.#threads = new Array(options.workers).fill(undefined);
    this.#deaths = new Array(options.workers).fill(0);
  }

  /** Starts all workers; rejects with `ServeError`, and leaves none behind, when one cannot serve. */
  async start(config: Config): Promise<readonly BoundAddress[]> {
    this.#applied = { config, slots: this.#board.assign(config) };
    this.#board.use(this.#applied.slots);
    this.#hold(this.#applied);
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

  /** Puts another configuration in force; rejects with `ServeError`, and keeps the old one, when a worker cannot. */
  async apply(config: Config): Promise<readonly BoundAddress[]> {
    const old = this.#applied!;
    const next: Applied = { config, slots: this.#board.assign(config) };
    const [first, ...others] = this.#living();
    if (first === undefined) throw new ServeError("no worker is alive", "GP_WORKER_ENDED");
    // They begin anew with the configuration.
    const shadows = await this.shadows();
    // Until all workers have the new one, some ask for pools of either.
    // Until all workers know the new ones: what the old ones say of a pool that is in both.
    this.#hold(next, old);
    // The first worker finds what is wrong for all, such as an address in use, before the others have changed anything.
    const addresses = await this.#applyTo([first], next).catch((error: Error) => {
      this.#hold(old);
      throw error;
    });
    this.#applied = next;
    try {
      await this.#applyTo(others, next);
    } catch (error) {
      this.#applied = old;
      this.#hold(old);
      await this.#applyTo(this.#living(), old).catch((again: Error) => {
        this.#options.log.alert(`the old configuration could not be restored: ${again.message}`);
      });
      throw error;
    }
    this.#board.use(next.slots);
    this.#hold(next);
    this.#tellShadows(shadows);
    this.#poller.use(next.config, next.slots);
    return addresses;
  }

  /** Tells all workers what is known of the engines now; a worker that starts later is told, too. */
  applyDiscovered(discovered: DiscoveredByIdentity): void {
    this.#discovered = discovered;
    for (const pool of this.#pools.values()) pool.applyDiscovered(discovered);
    for (const thread of this.#living()) thread.applyDiscovered(discovered);
  }

  /** Workers that live, of how many. */
  get workers(): { readonly alive: number; readonly configured: number } {
    return { alive: this.#living().length, configured: this.#options.workers };
  }

  /** All engines as the main thread sees them. */
  get pools(): readonly Pool[] {
    return [...this.#pools.values()];
  }

  /** Whether engines tell their load, by identity; those that are not asked are not there. */
  get signals(): ReadonlyMap<string, SignalState> {
    return this.#poller.states;
  }

  /** What the workers say that have something to say. */
  async ask(question: WorkerQuestion): Promise<unknown[]> {
    const answers = await Promise.all(this.#living().map((thread) => thread.ask(question)));
    return answers.filter((response) => response !== undefined);
  }

  /** What second policies would have done, over all workers. */
  async shadows(): Promise<ShadowReport[]> {
    const pools = Object.values(this.#applied?.config.pools ?? {});
    if (pools.every(({ shadow }) => shadow === undefined)) return [];
    return sumOfShadows((await this.ask({ about: "shadows" })) as ShadowReport[][]);
  }

  /** What waits, and what is known of the caches of engines, wherever the desk is. */
  async queue(): Promise<QueueState> {
    if (this.#queue !== undefined) return this.#queue.pools.state();
    const states = (await this.ask({ about: "desk" })) as (QueueState | undefined)[];
    return states.find((state) => state !== undefined) ?? { caches: [], queues: [] };
  }

  reopen(): void {
    for (const thread of this.#living()) thread.reopen();
  }

  /** Stops accepting and waits for what is in flight. */
  async drain(timeoutMs: number): Promise<void> {
    this.#close();
    await Promise.all(this.#living().map((thread) => thread.drain(timeoutMs)));
  }

  /** To be called before they stop: workers that are gone tell nothing. */
  async tellShadows(): Promise<void> {
    this.#tellShadows(await this.shadows());
  }

  #tellShadows(reports: readonly ShadowReport[]): void {
    for (const report of reports) {
      if (report.picks > 0) this.#options.log.notice(shadowLine(report));
    }
  }

  /** Resolves when all threads are gone. */
  async stop(): Promise<void> {
    this.#close();
    await Promise.all(this.#living().map((thread) => thread.stop()));
  }

  /** Ends all threads at once, whatever they do. */
  kill(): void {
    this.#close();
    for (const thread of this.#living()) thread.kill();
  }

  #living(): WorkerThread[] {
    return this.#threads.filter((thread) => thread !== undefined);
  }

  #close(): void {
    this.#closing = true;
    for (const timer of this.#restarts) clearTimeout(timer);
    this.#restarts.clear();
    this.#queue?.close();
    this.#poller.close();
  }

  /** The pools are those of these configurations; of a pool in several the last one counts. */
  #hold(...configurations: readonly Applied[]): void {
    this.#pools.clear();
    for (const { config, slots } of configurations) {
      for (const [name, poolConfig] of Object.entries(config.pools)) {
        const pool = new Pool(name, poolConfig, {
          board: this.#board.view,
          slots,
          random: Math.random,
        });
        pool.applyDiscovered(this.#discovered);
        this.#pools.set(name, pool);
      }
    }
    this.#queue?.pools.use(this.#pools.values());
  }

  #spawn(index: number): WorkerThread {
    const data = {
      workerIndex: index,
      workers: this.#options.workers,
      scoreboard: this.#board.memory,
      shadows: this.#board.shadowMemory,
    };
    const thread = new WorkerThread(this.#options.workerEntry, data, (question, response) =>
      this.#queue?.receive(index, question, response),
    );
    this.#threads[index] = thread;
    void thread.ended.then(() => {
      if (this.#threads[index] === thread) this.#threads[index] = undefined;
    });
    return thread;
  }

  /** All must succeed; the addresses are worker 0's, or those of the first one. */
  async #applyTo(threads: readonly WorkerThread[], { config, slots }: Applied) {
    this.#generation += 1;
    const generation = this.#generation;
    const answers = await Promise.all(
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
    for (const response of answers) {
      if ("failed" in response) throw new ServeError(response.failed, response.code);
    }
    const [first] = answers;
    return first !== undefined && "addresses" in first ? first.addresses : [];
  }

  #watch(thread: WorkerThread): void {
    void thread.ended.then((ending) => {
      if (!this.#closing) this.#replace(thread, ending);
    });
  }

  #replace(dead: WorkerThread, ending: string): void {
    const { index } = dead;
    const { log } = this.#options;
    this.#board.closeRow(index);
    this.#queue?.workerEnded(index);
    const healthy = Date.now() - dead.startedMs >= healthyMs;
    const deaths = healthy ? 1 : this.#deaths[index]! + 1;
    this.#deaths[index] = deaths;
    const delayMs = Math.min(restartDelayMs * 2 ** (deaths - 1), restartDelayMaxMs);
    log.alert(`worker ${index} died and is started again in ${delayMs} ms: ${ending}`);
    const timer = setTimeout(() => {
      this.#restarts.delete(timer);
      void this.#restart(index);
    }, delayMs);
    this.#restarts.add(timer);
  }

  async #restart(index: number): Promise<void> {
    const thread = this.#spawn(index);
    this.#watch(thread);
    try {
      let applied: Applied | undefined;
      // A reload may have come in between.
      while (applied !== this.#applied) {
        applied = this.#applied!;
        // The dead worker may have been the one that served them.
        if (index === 0) await removeStaleSockets(applied.config);
        await this.#applyTo([thread], applied);
      }
      this.#options.log.notice(`worker ${index} serves again`);
    } catch (error) {
      if (this.#closing) return;
      this.#options.log.alert(`worker ${index} cannot serve: ${(error as Error).message}`);
      // Its end has it replaced, later.
      thread.kill();
    }
  }
}
