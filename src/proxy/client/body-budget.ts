/** Bytes of request bodies in one worker's memory, against their bound. */

export class BodyBudget {
  #bytes = 0;
  readonly #max: () => number;

  /** @param max bytes; 0 = no bound */
  constructor(max: () => number) {
    this.#max = max;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** False when they would not fit; then nothing is taken. */
  take(bytes: number): boolean {
    const max = this.#max();
    if (max > 0 && this.#bytes + bytes > max) return false;
    this.#bytes += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#bytes -= bytes;
  }
}
