/** Bytes of request bodies in one worker's memory, against their bound. */

export class BodyBudget {
  #bytes = 0;
  readonly #max: () => number;
  readonly #released: (bytes: number) => void;

  /**
   * @param max bytes; 0 = no bound
   * @param released is told what is given back
   */
  constructor(max: () => number, released: (bytes: number) => void) {
    this.#max = max;
    this.#released = released;
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
    if (bytes === 0) return;
    this.#bytes -= bytes;
    this.#released(bytes);
  }
}
