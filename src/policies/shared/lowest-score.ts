/** The candidate with the least score; of several with the same, each is as likely. */
import type { Candidates, PickRequest } from "./policy.ts";
import { TieBreaker } from "./tie-breaker.ts";

export class LowestScore {
  readonly #tieBreaker: TieBreaker;
  readonly #random: () => number;

  /** @param size engines of the pool */
  constructor(size: number, random: () => number) {
    this.#tieBreaker = new TieBreaker(size);
    this.#random = random;
  }

  of(
    { count, engines }: Candidates,
    request: PickRequest,
    score: (engine: number, request: PickRequest) => number,
  ): number {
    const tieBreaker = this.#tieBreaker;
    let lowest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < count; i += 1) {
      const engine = engines[i]!;
      const own = score(engine, request);
      if (i === 0 || own < lowest) tieBreaker.restart(engine);
      else if (own === lowest) tieBreaker.add(engine);
      else continue;
      lowest = own;
    }
    return tieBreaker.draw(this.#random);
  }
}
