/** Chooses among engines that are equally good, each as likely: one draw, however many there are. */
export class TieBreaker {
  readonly #engines: Int32Array;
  #count = 0;

  /** @param size engines of the pool */
  constructor(size: number) {
    this.#engines = new Int32Array(size);
  }

  /** This engine is better than those before. */
  restart(engine: number): void {
    this.#engines[0] = engine;
    this.#count = 1;
  }

  /** This one is as good. */
  add(engine: number): void {
    this.#engines[this.#count] = engine;
    this.#count += 1;
  }

  /** Returns one of them. There must be one. */
  draw(random: () => number): number {
    const at = this.#count === 1 ? 0 : Math.floor(random() * this.#count);
    return this.#engines[at]!;
  }
}
