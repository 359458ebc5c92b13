/**
 * When a worker that died is started again: after a delay that doubles with each death, unless it lived for a while.
 */

const firstDelayMs = 100;
const delayMaxMs = 10_000;
/** A worker that lived this long does not count as one that dies repeatedly. */
const healthyMs = 60_000;

export class Restarts {
  /** Deaths in a row, by worker. */
  readonly #deaths: number[];
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(workers: number) {
    this.#deaths = new Array<number>(workers).fill(0);
  }

  /** @returns after how many ms `restart` is called */
  schedule(worker: number, livedMs: number, restart: () => void): number {
    const deaths = livedMs >= healthyMs ? 1 : this.#deaths[worker]! + 1;
    this.#deaths[worker] = deaths;
    const delayMs = Math.min(firstDelayMs * 2 ** (deaths - 1), delayMaxMs);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      restart();
    }, delayMs);
    this.#timers.add(timer);
    return delayMs;
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}
