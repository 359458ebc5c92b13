/**
 * Notices workers that hang: each counts up in shared memory by a timer of its own, and the main thread looks whether
 * it does.
 */
import { workerLooksPerHang } from "../../limits.ts";

export interface HeartbeatsOptions {
  readonly workers: number;
  /** A worker that gives no sign of life for so long hangs. */
  readonly hangMs: number;
  /** Ms of a monotonic clock. */
  nowMs(): number;
  hung(worker: number): void;
}

export class Heartbeats {
  /** One count per worker, which only that worker writes. */
  readonly memory: SharedArrayBuffer;
  readonly #options: HeartbeatsOptions;
  readonly #beats: Int32Array;
  /** The count of each worker that is watched when it was last looked at. */
  readonly #watched = new Map<number, { beat: number; looks: number }>();
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
    this.#watched.set(worker, { beat: this.#beat(worker), looks: 0 });
  }

  ignore(worker: number): void {
    this.#watched.delete(worker);
  }

  /**
   * To be called at regular intervals. A look that comes late says nothing: where the main thread does not get to run,
   * because the machine is slow or the process was stopped, the workers did not either.
   */
  look(): void {
    const nowMs = this.#options.nowMs();
    const isLate = nowMs - this.#lookedMs > 2 * this.#intervalMs;
    this.#lookedMs = nowMs;
    for (const [worker, last] of [...this.#watched]) {
      const beat = this.#beat(worker);
      if (beat !== last.beat) {
        last.beat = beat;
        last.looks = 0;
      } else if (!isLate) last.looks += 1;
      if (last.looks < workerLooksPerHang) continue;
      this.ignore(worker);
      this.#options.hung(worker);
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
