/**
 * What happens to workers that die or hang: those that hang are ended, and each is started again after a delay that
 * doubles with each death, unless it lived for a while.
 */

import type { ErrorLog } from "../../observe/error-log.ts";
import {
  workerHealthyMs,
  workerKillTimeoutMs,
  workerRestartDelayMaxMs,
  workerRestartDelayMs,
} from "../limits.ts";
import { Heartbeats } from "./heartbeats.ts";
import type { WorkerThread } from "./worker-thread.ts";

export interface RestartsOptions {
  readonly workers: number;
  /** A worker that gives no sign of life for so long hangs. */
  readonly hangMs: number;
  readonly log: ErrorLog;
  nowMs(): number;
  /** The worker has ended: what it had taken is free. */
  ended(worker: number): void;
  restart(worker: number): void;
  /** A worker that hangs cannot be ended, and still has its listening sockets. */
  stuck(worker: number): void;
}

/** Workers that are alive, that there should be, and that had to be replaced, since they died or hung. */
export interface WorkerCounts {
  readonly alive: number;
  readonly configured: number;
  readonly died: number;
  readonly hung: number;
}

/** Of the whole process: runtimes do not say how much each worker has had. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

export class Restarts {
  /** Workers that had to be replaced so far, by cause. */
  readonly counts = { died: 0, hung: 0 };
  readonly #options: RestartsOptions;
  readonly #heartbeats: Heartbeats;
  readonly #threads = new Map<number, WorkerThread>();
  /** Deaths in a row, by worker. */
  readonly #deaths: number[];
  readonly #timers = new Set<NodeJS.Timeout>();
  #isClosing = false;

  constructor(options: RestartsOptions) {
    const { workers, hangMs, nowMs } = options;
    this.#options = options;
    this.#deaths = new Array<number>(workers).fill(0);
    const hung = (worker: number) => this.#hung(this.#threads.get(worker)!);
    this.#heartbeats = new Heartbeats({ workers, hangMs, nowMs, cpuMs, hung });
  }

  /** Where workers give signs of life. */
  get heartbeats(): SharedArrayBuffer {
    return this.#heartbeats.memory;
  }

  /** A worker has started. */
  watch(thread: WorkerThread): void {
    const { nowMs } = this.#options;
    const startMs = nowMs();
    this.#threads.set(thread.index, thread);
    void thread.ended.then((cause) => {
      this.#heartbeats.ignore(thread.index);
      if (!this.#isClosing) this.#replace(thread, nowMs() - startMs, cause);
    });
  }

  /** A worker that is watched serves: it does not have to load anything any more. */
  serves({ index }: WorkerThread): void {
    this.#heartbeats.watch(index);
  }

  /** No worker is started again. Those that hang are still ended, so that a drain does not wait for them. */
  close(): void {
    this.#isClosing = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  /** All workers have ended. */
  stop(): void {
    this.close();
    this.#heartbeats.close();
  }

  #hung(thread: WorkerThread): void {
    const { hangMs, log, stuck } = this.#options;
    this.counts.hung += 1;
    const cause = `it hung: no sign of life for ${hangMs} ms`;
    if (this.#isClosing) log.alert(`worker ${thread.index} is ended: ${cause}`);
    thread.kill(cause);
    const timer = setTimeout(() => stuck(thread.index), workerKillTimeoutMs).unref();
    void thread.ended.then(() => clearTimeout(timer));
  }

  #replace({ index, isHung }: WorkerThread, livedMs: number, cause: string): void {
    const { log, ended, restart } = this.#options;
    if (!isHung) this.counts.died += 1;
    ended(index);
    const deaths = livedMs >= workerHealthyMs ? 1 : this.#deaths[index]! + 1;
    this.#deaths[index] = deaths;
    const delayMs = Math.min(workerRestartDelayMs * 2 ** (deaths - 1), workerRestartDelayMaxMs);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      restart(index);
    }, delayMs);
    this.#timers.add(timer);
    log.alert(`worker ${index} died, restarting it in ${delayMs} ms: ${cause}`);
  }
}
