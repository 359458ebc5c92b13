/**
 * What has become of requests, counted by all workers. Each writes its own row, so that counting is one addition. What
 * each counter counts is told where requests are served (`proxy/context/request-counters.ts`).
 */
import { requestCountersMax } from "../limits.ts";

/** Requests that the retry budget counts as being retried now. The only counter that does not just grow. */
export const beingRetried = 0;

export function requestCountsLength(workers: number): number {
  return workers * requestCountersMax * 8;
}

export class RequestCounts {
  readonly #rows: Float64Array;
  readonly #at: number;

  /** @param worker whose row this instance writes */
  constructor(memory: SharedArrayBuffer, at: number, workers: number, worker: number) {
    this.#rows = new Float64Array(memory, at, workers * requestCountersMax);
    this.#at = worker * requestCountersMax;
  }

  add(counter: number, count = 1): void {
    const at = this.#at + counter;
    this.#rows[at] = this.#rows[at]! + count;
  }

  /** Of all workers. */
  sum(counter: number): number {
    let sum = 0;
    for (let at = counter; at < this.#rows.length; at += requestCountersMax) sum += this.#rows[at]!;
    return sum;
  }

  /** The worker is dead, and its requests with it. */
  closeRow(worker: number): void {
    this.#rows[worker * requestCountersMax + beingRetried] = 0;
  }
}
