/**
 * How long the first byte of a response usually takes in a pool, as a multiple of what its length predicts, and when
 * each engine responded last: what tells a late response from one to a long prompt.
 */
import {
  type ScoreboardArrays,
  sharedEarlyPace,
  sharedFields,
  sharedRespondedAt,
  sharedServedUpTo,
  sharedWholePace,
} from "./layout.ts";

/**
 * Weights of an observation above and below what is usual. What is usual is so near the slowest responses of late, not
 * their mean: many responses are far quicker than predicted, since their prompts are cached.
 */
const growth = 0.25;
const shrinkage = 0.01;

export class UsualTimes {
  readonly #shared: Float64Array;

  constructor({ shared }: ScoreboardArrays) {
    this.#shared = shared;
  }

  /** When the engine last began a response, in ms since the epoch. */
  respondedAt(slot: number): number {
    return this.#shared[slot * sharedFields + sharedRespondedAt]!;
  }

  /** When the latest request was sent that the engine has begun to respond to, in ms since the epoch. */
  servedUpTo(slot: number): number {
    return this.#shared[slot * sharedFields + sharedServedUpTo]!;
  }

  /** The engine has begun a response at `wallMs`. @param sentMs when its request was sent */
  responded(slot: number, sentMs: number, wallMs: number): void {
    const at = slot * sharedFields;
    this.#shared[at + sharedRespondedAt] = wallMs;
    if (sentMs > this.#shared[at + sharedServedUpTo]!) this.#shared[at + sharedServedUpTo] = sentMs;
  }

  /**
   * The usual pace of a pool; 0 = not known yet.
   * @param poolSlot its first slot
   * @param isEarly of responses whose first byte comes before the last token: prefills and streams
   */
  pace(poolSlot: number, isEarly: boolean): number {
    return this.#shared[paceAt(poolSlot, isEarly)]!;
  }

  /** Two workers that write at once lose one of many observations. */
  observe(poolSlot: number, isEarly: boolean, pace: number): void {
    const at = paceAt(poolSlot, isEarly);
    const before = this.#shared[at]!;
    const share = pace > before ? growth : shrinkage;
    this.#shared[at] = before === 0 ? pace : before + share * (pace - before);
  }
}

function paceAt(poolSlot: number, isEarly: boolean): number {
  return poolSlot * sharedFields + (isEarly ? sharedEarlyPace : sharedWholePace);
}
