/** When engines are asked: a round for each interval that some of them have, the first one at once. */

export class Rounds {
  readonly #round: (intervalMs: number) => Promise<void>;
  readonly #timers = new Map<number, NodeJS.Timeout>();

  /** @param round asks the engines of this interval once */
  constructor(round: (intervalMs: number) => Promise<void>) {
    this.#round = round;
  }

  /** From now on there are these intervals. Those that stay keep their time. */
  use(intervalsMs: ReadonlySet<number>): void {
    for (const [intervalMs, timer] of this.#timers) {
      if (intervalsMs.has(intervalMs)) continue;
      clearInterval(timer);
      this.#timers.delete(intervalMs);
    }
    for (const intervalMs of intervalsMs) {
      if (!this.#timers.has(intervalMs)) this.#repeat(intervalMs);
    }
  }

  close(): void {
    this.use(new Set());
  }

  #repeat(intervalMs: number): void {
    const again = () => void this.#round(intervalMs);
    this.#timers.set(intervalMs, setInterval(again, intervalMs).unref());
    again();
  }
}
