/** What an exchange is set up with, and what it commands its driver to do. */
import type { LegName, LegOrder } from "../../../dialects/dialect.ts";
import type { PickFailure } from "../../../pool/pool.ts";
import type { Outcome } from "../../context/outcomes.ts";

/** `decode-only`: one engine serves the whole request, or decode computes the prompt itself. */
export type Order = LegOrder | "decode-only";

export interface ExchangeActions {
  /** A prefill and its decode start, for the first time or again: ids of an earlier attempt are not used any more. */
  openAttempt(): void;
  /** Whether an engine could be picked for the leg now; if not, says why. */
  lookFor(leg: LegName): PickFailure | undefined;
  /** Picks an engine that this leg has not tried, for `send`; if there is none, says why. */
  reserve(leg: LegName): PickFailure | undefined;
  /**
   * Sends the request to the reserved engine, or else to one that this leg has not tried; if there is none, says why.
   */
  send(leg: LegName): PickFailure | undefined;
  /** The leg has failed, and another engine is tried for it next. */
  countRetry(leg: LegName): void;
  /** Waits in the queue once more, from its end, and then starts an attempt; false = there is no queue. */
  waitAgain(): boolean;
  /** Ends a leg that is not wanted any more. Harmless when it is over. */
  cancel(leg: LegName): void;
  /** From now on the response of this leg goes to the client; what has already come of it goes first. */
  deliverFrom(leg: LegName): void;
  /**
   * Responds to the decode engine's call-back (decode first). Each gets a response, also if the request ends before.
   */
  respondToCallback(ok: boolean): void;
  /** The request is over. With `answered` the client has its whole response. Called once. */
  finish(outcome: Outcome): void;
}

export interface ExchangeOptions {
  readonly order: Order;
  /** Prefill first: the decode engine is reserved before the prefill is sent. */
  readonly choosesDecodeFirst: boolean;
  /** Most engines that may be tried for each leg, the first included. */
  readonly tries: Readonly<Record<LegName, number>>;
  /** When no prefill can be had, decode computes the prompt. */
  readonly fallsBack: boolean;
  /** The route has no prefill: errors speak of engines, not of decode engines. */
  readonly servesWhole?: boolean;
}
