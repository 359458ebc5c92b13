/**
 * The state machine of a request's encode: which item is sent when, what a failure leads to, whose response is the
 * client's. It does no I/O; the driver (`encode-driver.ts`) reports what happened and does what it commands. The
 * exchange begins when all items are encoded.
 */

import { encodesAtOnceMax } from "../../../limits.ts";
import type { PickFailure } from "../../../pool/pool.ts";
import type { LegFailure } from "../../context/legs.ts";
import { type Outcome, outcomes } from "../../context/outcomes.ts";

export interface FanOutActions {
  /** Sends an item to an encoder that it has not been sent to; says why when there is none. */
  send(item: number): PickFailure | undefined;
  /** The item has failed, and another encoder is tried for it next. */
  countRetry(item: number): void;
  /** Ends what is under way for an item that is not wanted any more. Harmless when it is over. */
  cancel(item: number): void;
  /** The encoder's refusal of this item is the client's response. */
  deliverFrom(item: number): void;
  /** All items are encoded. Called at most once, and `finish` not then. */
  encoded(): void;
  /** The request is over. Called at most once. */
  finish(outcome: Outcome): void;
}

export class EncodeFanOut {
  readonly #actions: FanOutActions;
  readonly #triesMax: number;
  /** By item: encoders that failed it. */
  readonly #failures: number[];
  #next = 0;
  #underWay = 0;
  #lastFailure: Outcome | undefined;
  #deliveringLeg = -1;
  #ended = false;

  /** @param triesMax encoders for each item, the first included */
  constructor(items: number, triesMax: number, actions: FanOutActions) {
    this.#failures = new Array<number>(items).fill(0);
    this.#triesMax = triesMax;
    this.#actions = actions;
  }

  start(): void {
    if (this.#failures.length > 0) this.#sendMore();
    else this.#complete();
  }

  /** Whether the item has not had all its tries. */
  hasTry(item: number): boolean {
    return this.#failures[item]! + 1 < this.#triesMax;
  }

  /** An encoder has responded in full, with a 2xx status. */
  encoded(): void {
    if (this.#ended) return;
    this.#underWay -= 1;
    if (this.#underWay === 0 && this.#next === this.#failures.length) this.#complete();
    else this.#sendMore();
  }

  /**
   * An encoder responds with another status.
   * @param mayRetry the route allows another encoder for this status
   */
  refused(item: number, mayRetry: boolean): void {
    if (this.#ended || (mayRetry && this.#retry(item, undefined))) return;
    this.#deliveringLeg = item;
    this.#cancelAllBut(item);
    this.#actions.deliverFrom(item);
  }

  failed(item: number, failure: LegFailure, mayRetry: boolean): void {
    if (this.#ended) return;
    const outcome = failureOutcomes[failure];
    const isResponse = this.#deliveringLeg === item;
    if (isResponse || !mayRetry || !this.#retry(item, outcome)) this.#finish(outcome);
  }

  /** The encoder whose refusal is the client's response has sent all of it. */
  responseEnded(): void {
    if (!this.#ended) this.#finish(outcomes.answered);
  }

  /** Something outside ends the request. */
  abort(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelAllBut(-1);
  }

  #sendMore(): void {
    while (
      !this.#ended &&
      this.#next < this.#failures.length &&
      this.#underWay < encodesAtOnceMax
    ) {
      const item = this.#next;
      this.#next += 1;
      this.#underWay += 1;
      const refusal = this.#actions.send(item);
      if (refusal === undefined) continue;
      this.#underWay -= 1;
      this.#next = item;
      // Encoders that are full of this request's own items have room again when one of them is encoded.
      if (refusal === "no-healthy-engine" || this.#underWay === 0)
        this.#finish(this.#lastFailure ?? pickFailureOutcomes[refusal]);
      return;
    }
  }

  /** Sends the item to another encoder; the others are none of its business. */
  #retry(item: number, failure: Outcome | undefined): boolean {
    this.#failures[item]! += 1;
    if (this.#failures[item]! >= this.#triesMax) return false;
    this.#lastFailure = failure ?? this.#lastFailure;
    this.#actions.countRetry(item);
    this.#actions.cancel(item);
    const refusal = this.#actions.send(item);
    if (refusal !== undefined) this.#finish(this.#lastFailure ?? pickFailureOutcomes[refusal]);
    return true;
  }

  #cancelAllBut(item: number): void {
    for (let other = 0; other < this.#next; other += 1) {
      if (other !== item) this.#actions.cancel(other);
    }
  }

  #complete(): void {
    this.#ended = true;
    this.#actions.encoded();
  }

  #finish(outcome: Outcome): void {
    this.#ended = true;
    this.#cancelAllBut(-1);
    this.#actions.finish(outcome);
  }
}

const pickFailureOutcomes: Readonly<Record<PickFailure, Outcome>> = {
  "no-healthy-engine": outcomes.noEncodeEngine,
  "at-capacity": outcomes.encodeFull,
};
const failureOutcomes: Readonly<Record<LegFailure, Outcome>> = {
  error: outcomes.encodeFailed,
  timeout: outcomes.encodeTimeout,
  invalid: outcomes.encodeInvalid,
  descriptors: outcomes.noDescriptors,
};
