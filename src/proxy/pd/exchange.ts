/**
 * The state machine that owns a request between its arrival and its end: which leg is sent when, what a failure leads to,
 * whose response is the client's. It does no I/O: the driver (`exchange-driver.ts`) reports what happened and carries out
 * the commands.
 *
 * The orders that engine families need: prefill first, both together, decode first with a call-back for the prefill,
 * and decode alone where there is nothing to prefill.
 */
import type { LegName, LegOrder } from "../../dialects/dialect.ts";
import { continuationsMax, waitsAgainMax } from "../../limits.ts";
import type { PickFailure } from "../../pool/pool.ts";
import type { LegFailure } from "../context/legs.ts";
import { type Outcome, outcomes } from "../context/outcomes.ts";
import { type LegOutcomes, splitOutcomes, wholeOutcomes } from "./leg-outcomes.ts";

export type Order = LegOrder | "decode-only";

export interface ExchangeActions {
  /** A prefill and its decode begin, for the first time or anew: ids that belong to the ones before are used no more. */
  openAttempt(): void;
  /** Whether an engine could be found for the leg; says why not. */
  lookFor(leg: LegName): PickFailure | undefined;
  /** Picks an engine that this leg has not tried, for `send`; says why when there is none. */
  reserve(leg: LegName): PickFailure | undefined;
  /** Sends the request to the engine that is reserved, or else to one that this leg has not tried; says why when there is none. */
  send(leg: LegName): PickFailure | undefined;
  /** Waits in the queue once more, from its end, and calls `begin`; false = there is none. */
  waitAgain(): boolean;
  /** Ends a leg that is not wanted any more. Harmless when it is over. */
  cancel(leg: LegName): void;
  /** From now on the answer of this leg goes to the client; what of it has come already goes first. */
  deliverFrom(leg: LegName): void;
  /** The decode engine's call-back (decode first) gets its answer. Each gets one, also when the request ends before. */
  respondToCallback(ok: boolean): void;
  /** The request is over. With `answered` the client has its whole answer. Called once. */
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

export class Exchange {
  readonly #options: ExchangeOptions;
  readonly #actions: ExchangeActions;
  readonly #outcomes: LegOutcomes;
  #prefillFailures = 0;
  #decodeFailures = 0;
  #prefill: "none" | "sent" | "done" = "none";
  #decode: "none" | "sent" | "held" = "none";
  #deliveringLeg: LegName | undefined;
  #lastFailure: Outcome | undefined;
  #owesCallback = false;
  #order: Order;
  /** Decode first, by answer: decode has asked for a prefill, and is sent again after it. */
  #needsPrefill = false;
  #round = 0;
  #waitsAgain = 0;
  /** How often decode has given up, and whether the client has something of an answer from before. */
  #preemptions = 0;
  #hasBegun = false;
  #ended = false;

  constructor(options: ExchangeOptions, actions: ExchangeActions) {
    this.#options = options;
    this.#order = options.order;
    this.#actions = actions;
    this.#outcomes = options.servesWhole ? wholeOutcomes : splitOutcomes;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Whose answer the client is getting; undefined = nothing was sent to the client yet. */
  get deliveringLeg(): LegName | undefined {
    return this.#deliveringLeg;
  }

  /** The client has the beginning of an answer, and waits for the rest of it from the round that is under way. */
  get resumes(): boolean {
    return this.#hasBegun && this.#deliveringLeg === undefined;
  }

  get order(): Order {
    return this.#order;
  }

  /** A prefill engine has the KV cache, and as far as is known no decode engine has taken it. */
  get holdsKv(): boolean {
    return this.#prefill === "done" && this.#deliveringLeg === undefined;
  }

  /** There is no prefill engine for a request that has waited for one. */
  notQueued(refusal: PickFailure): void {
    if (!this.#ended) this.#notPlaced("prefill", refusal);
  }

  begin(): void {
    this.#prefill = "none";
    this.#decode = "none";
    this.#needsPrefill = false;
    this.#round += 1;
    const round = this.#round;
    this.#actions.openAttempt();
    switch (this.#order) {
      case "prefill-first":
        if (this.#isDecodeToBeHad()) this.#sendPrefill();
        break;
      case "together":
        if (!this.#reserve("decode") || !this.#reserve("prefill")) break;
        // Decode first: some wait for the prefill's call before they take anything else. One that fails while it is being sent
        // may have begun both anew.
        if (this.#sendDecode() && this.#round === round) this.#sendPrefill();
        break;
      case "decode-first":
      case "decode-only":
        this.#sendDecode();
        break;
    }
  }

  /** Decode first: the decode engine has asked for its prefill. A second call for the same request changes nothing. */
  calledBack(): void {
    if (this.#ended || this.#order !== "decode-first" || this.#prefill !== "none") return;
    this.#owesCallback = true;
    this.#sendPrefill();
  }

  /** Decode first: the decode engine answers that it needs a prefill. One that has had it, and says so again, has failed. */
  decodeNeedsPrefill(): void {
    if (this.#ended) return;
    if (this.#order !== "decode-first" || this.#prefill !== "none") {
      this.#actions.cancel("decode");
      this.decodeFailed("invalid", false, false);
      return;
    }
    this.#needsPrefill = true;
    this.#decode = "none";
    this.#actions.cancel("decode");
    this.#sendPrefill();
  }

  /** The prefill's answer is all that the client needs, and is sent: not so where decode's has begun, which stays the only one. */
  deliverPrefillResponse(): void {
    if (this.#ended) return;
    if (this.#deliveringLeg !== undefined) {
      this.prefillDone();
      return;
    }
    if (this.#hasBegun) {
      this.#finish(outcomes.truncated);
      return;
    }
    this.#deliveringLeg = "prefill";
    this.#finish(outcomes.answered);
  }

  /** The prefill engine's answer is complete, with a 2xx status. */
  prefillDone(): void {
    if (this.#ended) return;
    this.#prefill = "done";
    this.#respondToCallback(true);
    if (this.#order === "prefill-first" || this.#needsPrefill) this.#sendDecode();
    else if (this.#decode === "held") this.#deliverFrom("decode");
  }

  /**
   * The prefill engine answered with another status.
   * @param mayRetry the route allows another engine for this status
   * @param isClients the request is what is wrong
   */
  prefillRefused(mayRetry: boolean, isClients: boolean): void {
    if (this.#ended) return;
    if (mayRetry && this.#retryPrefill(undefined)) return;
    if (!isClients && this.#fallBack()) return;
    if (this.#deliveringLeg === "decode") {
      this.#goOnWithout();
      return;
    }
    if (this.#hasBegun) {
      this.#finish(outcomes.truncated);
      return;
    }
    this.#respondToCallback(false);
    this.#actions.cancel("decode");
    this.#deliverFrom("prefill");
  }

  prefillFailed(failure: LegFailure, mayRetry: boolean): void {
    if (this.#ended) return;
    if (this.#deliveringLeg === "prefill") {
      this.#finish(outcomes.truncated);
      return;
    }
    const outcome = this.#outcomes.prefill[failure];
    if (mayRetry && this.#retryPrefill(outcome)) return;
    if (this.#fallBack()) return;
    if (this.#deliveringLeg === "decode") this.#goOnWithout();
    else this.#finish(outcome);
  }

  /** The decode engine's answer has begun, or (where it is held back) is complete. */
  decodeResponded(ok: boolean, mayRetry: boolean): void {
    if (this.#ended) return;
    if (!ok && mayRetry && this.#retryDecode(undefined, false)) return;
    // With both legs in flight an answer is only good once the prefill is; a refusal is final at once.
    if (ok && this.#prefill === "sent") this.#decode = "held";
    else if (!ok && this.#hasBegun) this.#finish(outcomes.truncated);
    else {
      if (!ok) this.#actions.cancel("prefill");
      this.#deliverFrom("decode");
    }
  }

  /** @param kvKept the request did not reach the decode engine, so the prefill's KV cache is still there for another */
  decodeFailed(failure: LegFailure, mayRetry: boolean, kvKept: boolean): void {
    if (this.#ended) return;
    if (this.#deliveringLeg === "decode") {
      this.#finish(outcomes.truncated);
      return;
    }
    const outcome = this.#outcomes.decode[failure];
    if (mayRetry && this.#retryDecode(outcome, kvKept)) return;
    this.#finish(outcome);
  }

  /** The answer broke off before any byte of it went to the client: the failure that follows may lead to another. */
  retractResponse(): void {
    this.#deliveringLeg = undefined;
  }

  /**
   * Decode, whose answer is the client's, has given the request up in the middle of it. A round begins for the rest; what goes
   * wrong in it breaks the answer off, where there is one.
   * @param hasBegun some of the answer is with the client
   * @param canContinue there is a request for the rest
   */
  decodePreempted(hasBegun: boolean, canContinue: boolean): void {
    if (this.#ended || this.#deliveringLeg !== "decode") return;
    this.#deliveringLeg = undefined;
    this.#prefill = "none";
    this.#hasBegun ||= hasBegun;
    this.#preemptions += 1;
    if (canContinue && this.#preemptions <= continuationsMax) this.#restart();
    else this.#finish(outcomes.decodePreempted);
  }

  /** The leg whose answer is the client's has sent all of it. */
  responseEnded(): void {
    if (!this.#ended) this.#finish(outcomes.answered);
  }

  /** Something outside of the legs ends the request: the client went away, a bound was hit, the proxy stops. */
  abort(outcome: Outcome): void {
    if (!this.#ended) this.#finish(outcome);
  }

  #sendPrefill(): void {
    this.#prefill = "sent";
    const refusal = this.#actions.send("prefill");
    if (refusal !== undefined) this.#notPlaced("prefill", refusal);
  }

  #reserve(leg: LegName): boolean {
    const refusal = this.#actions.reserve(leg);
    if (refusal !== undefined) this.#notPlaced(leg, refusal);
    return refusal === undefined;
  }

  /** A prefill whose decode finds no place leaves its KV cache behind: better not to begin. */
  #isDecodeToBeHad(): boolean {
    if (this.#options.choosesDecodeFirst) return this.#reserve("decode");
    const refusal = this.#actions.lookFor("decode");
    if (refusal !== undefined) this.#notPlaced("decode", refusal);
    return refusal === undefined;
  }

  #notPlaced(leg: LegName, refusal: PickFailure): void {
    if (leg === "prefill" && this.#fallBack()) return;
    if (refusal === "at-capacity" && this.#waitAgain()) return;
    if (leg === "prefill" && this.#deliveringLeg === "decode") this.#goOnWithout();
    else this.#finish(this.#lastFailure ?? this.#outcomes[leg][refusal]);
  }

  /**
   * The place that the request had waited for is another's, as when its engine has failed: it waits for the next. Not with a KV cache or an answer,
   * and not for a prefill that decode is to do without.
   */
  #waitAgain(): boolean {
    if (this.#prefill === "done" || this.#deliveringLeg !== undefined || this.#hasBegun)
      return false;
    if (this.#order !== this.#options.order || this.#waitsAgain >= waitsAgainMax) return false;
    this.#waitsAgain += 1;
    this.#actions.cancel("prefill");
    this.#actions.cancel("decode");
    this.#respondToCallback(false);
    return this.#actions.waitAgain();
  }

  /** Has decode compute the prompt, where the route allows it and nothing of an answer was sent. */
  #fallBack(): boolean {
    if (!this.#options.fallsBack || this.#deliveringLeg !== undefined) return false;
    if (this.#order === "decode-only") return false;
    this.#order = "decode-only";
    this.#restart();
    return true;
  }

  /** A prefill fails that was asked for after decode's answer had begun: that answer does without it. */
  #goOnWithout(): void {
    this.#actions.cancel("prefill");
    this.#respondToCallback(false);
  }

  #sendDecode(): boolean {
    this.#decode = "sent";
    const refusal = this.#actions.send("decode");
    if (refusal !== undefined) this.#notPlaced("decode", refusal);
    return refusal === undefined && !this.#ended;
  }

  /** Tries another prefill engine; where decode is in flight already it starts anew as well, since its KV will not come. */
  #retryPrefill(failure: Outcome | undefined): boolean {
    this.#prefillFailures += 1;
    if (this.#deliveringLeg !== undefined || this.#prefillFailures >= this.#options.tries.prefill)
      return false;
    this.#lastFailure = failure ?? this.#lastFailure;
    this.#restart();
    return true;
  }

  /** Tries another decode engine, with a new prefill unless the KV cache of the last one is still there. */
  #retryDecode(failure: Outcome | undefined, kvKept: boolean): boolean {
    this.#decodeFailures += 1;
    if (this.#deliveringLeg !== undefined || this.#decodeFailures >= this.#options.tries.decode)
      return false;
    this.#lastFailure = failure ?? this.#lastFailure;
    if (kvKept && this.#prefill === "done" && !this.#options.choosesDecodeFirst) {
      this.#actions.cancel("decode");
      this.#sendDecode();
    } else this.#restart();
    return true;
  }

  #restart(): void {
    this.#actions.cancel("prefill");
    this.#actions.cancel("decode");
    this.#respondToCallback(false);
    this.begin();
  }

  #respondToCallback(ok: boolean): void {
    if (!this.#owesCallback) return;
    this.#owesCallback = false;
    this.#actions.respondToCallback(ok);
  }

  #deliverFrom(leg: LegName): void {
    this.#deliveringLeg = leg;
    this.#actions.deliverFrom(leg);
  }

  #finish(outcome: Outcome): void {
    this.#ended = true;
    this.#actions.cancel("prefill");
    this.#actions.cancel("decode");
    this.#respondToCallback(false);
    // It is too late for a status.
    const isLate = this.#hasBegun && outcome !== outcomes.answered && outcome.status !== 0;
    this.#actions.finish(isLate ? outcomes.truncated : outcome);
  }
}
