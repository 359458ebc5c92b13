/**
 * Notices workers that hang: each counts up in shared memory by a timer of its own, and the main thread looks whether
 * it does. A worker that other programs keep from the CPU does not hang, and its main thread, which needs little, may
 * be on time all the same: so the CPU time of the process counts as well.
 */
import { workerHangCpuShare, workerLooksPerHang, workerWaitFactor } from "../limits.ts";

export interface HeartbeatsOptions {
  readonly workers: number;
  /** A worker that gives no sign of life for so long hangs. */
  readonly hangMs: number;
  /** Ms of a monotonic clock. */
  nowMs(): number;
  /** Ms of CPU time that this process has had. */
  cpuMs(): number;
  hung(worker: number): void;
}

export class Heartbeats {
  /** One count per worker, which only that worker writes. */
  readonly memory: SharedArrayBuffer;
  readonly #options: HeartbeatsOptions;
  readonly #beats: Int32Array;
  /** The count of each worker that is watched when it was last seen to change, and the CPU time then. */
  readonly #watched = new Map<number, { beat: number; looks: number; cpuMs: number }>();
  readonly #ticker: NodeJS.Timeout;
  #lookedMs: number;

  constructor(options: HeartbeatsOptions) {
    this.#options = options;
    this.memory = new SharedArrayBuffer(4 * options.workers);
    this.#beats = new Int32Array(this.memory);
    this.#lookedMs = options.nowMs();
    this.#ticker = setInterval(() => this.look(), this.#intervalMs).unref();
  }

  get #intervalMs(): number {
    return this.#options.hangMs / workerLooksPerHang;
  }

  /** From now on the worker has to give signs of life. */
  watch(worker: number): void {
    const cpuMs = this.#options.cpuMs();
    this.#watched.set(worker, { beat: this.#beat(worker), looks: 0, cpuMs });
  }

  ignore(worker: number): void {
    this.#watched.delete(worker);
  }

  /**
   * To be called at regular intervals. A look that comes late says nothing: where the main thread does not get to run,
   * because the machine is slow or the process was stopped, the workers did not either.
   */
  look(): void {
    const { hangMs, hung } = this.#options;
    const nowMs = this.#options.nowMs();
    const cpuMs = this.#options.cpuMs();
    const isLate = nowMs - this.#lookedMs > 2 * this.#intervalMs;
    this.#lookedMs = nowMs;
    for (const [worker, last] of [...this.#watched]) {
      const beat = this.#beat(worker);
      if (beat !== last.beat) {
        last.beat = beat;
        last.looks = 0;
        last.cpuMs = cpuMs;
      } else if (!isLate) last.looks += 1;
      // Without CPU time it waits, for the CPU or in the system: it has more time then, but not for ever.
      const isBusy = cpuMs - last.cpuMs >= hangMs * workerHangCpuShare;
      if (last.looks < workerLooksPerHang * (isBusy ? 1 : workerWaitFactor)) continue;
      this.ignore(worker);
      hung(worker);
    }
  }

  close(): void {
    clearInterval(this.#ticker);
    this.#watched.clear();
  }

  #beat(worker: number): number {
    return Atomics.load(this.#beats, worker);
  }
}
