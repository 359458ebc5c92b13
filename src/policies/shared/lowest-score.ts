/** The candidate with the least score; of several with the same, each is as likely. */
import type { Candidates, PickRequest } from "./policy.ts";
import { Ties } from "./tie-breaker.ts";

export class Least {
  readonly #ties: Ties;
  readonly #random: () => number;

  /** @param size engines of the pool */
  constructor(size: number, random: () => number) {
    this.#ties = new Ties(size);
    this.#random = random;
  }

  of(
    { count, engines }: Candidates,
    request: PickRequest,
    score: (engine: number, request: PickRequest) => number,
  ): number {
    const ties = this.#ties;
    let lowest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < count; i += 1) {
      const engine = engines[i]!;
      const own = score(engine, request);
      if (i === 0 || own < lowest) ties.restart(engine);
      else if (own === lowest) ties.add(engine);
      else continue;
      lowest = own;
    }
    return ties.draw(this.#random);
  }
}
