/**
 * What omni_proxy goes by: the tokens and requests that engines have in flight, against their room. Each engine of
 * weight w counts as w.
 */
import type { Candidates, PoolView } from "./policy.ts";

export interface OmniRoom {
  readonly role: "prefill" | "decode";
  /** Tokens and requests beyond which an engine has no room. The first holds for prefill. */
  readonly maxBatchNumToken: number;
  readonly maxNumSeqs: number;
}

/** As estimated for all that is in flight. */
const bytesPerToken = 4;

export class OmniLoad {
  readonly #pool: PoolView;
  readonly #tokensMax: number;
  readonly #requestsMax: number;
  #last = -1;

  constructor(pool: PoolView, { role, maxBatchNumToken, maxNumSeqs }: OmniRoom) {
    this.#pool = pool;
    this.#tokensMax = role === "prefill" ? maxBatchNumToken : Number.POSITIVE_INFINITY;
    this.#requestsMax = maxNumSeqs;
  }

  hasCapacity(engine: number): boolean {
    return this.#tokens(engine) <= this.#tokensMax && this.#requests(engine) < this.#requestsMax;
  }

  isLighter(engine: number, other: number): boolean {
    const difference = this.#tokens(engine) - this.#tokens(other);
    return difference === 0 ? this.#requests(engine) < this.#requests(other) : difference < 0;
  }

  /**
   * In turn among equals.
   * @returns -1 where none has room, if that is asked for
   */
  fewestTokens(candidates: Candidates, withRoom: boolean): number {
    const { count, engines } = candidates;
    let first = 0;
    while (first < count && engines[first]! <= this.#last) first += 1;
    let best = -1;
    let fewest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < count; i += 1) {
      const engine = engines[(first + i) % count]!;
      if (withRoom && !this.hasCapacity(engine)) continue;
      const tokens = this.#tokens(engine);
      if (tokens >= fewest) continue;
      fewest = tokens;
      best = engine;
    }
    if (best >= 0) this.#last = best;
    return best;
  }

  #tokens(engine: number): number {
    const { board, slots, weights } = this.#pool;
    return board.promptBytes(slots[engine]!) / bytesPerToken / weights[engine]!;
  }

  #requests(engine: number): number {
    const { board, slots, weights } = this.#pool;
    return board.inFlight(slots[engine]!) / weights[engine]!;
  }
}
