/** Choices by a seed: the same seed makes the same ones. */
import { seededRandom } from "../../../src/simulated-engine/model/prng.ts";

export class Chance {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  /** A whole number from 0 to `n - 1`. */
  below(n: number): number {
    return Math.floor(this.#random() * n);
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  happens(probability: number): boolean {
    return this.#random() < probability;
  }
}
