/**
 * What an exchange can do next, and the state that this changes: start an attempt, send a leg, try again, wait, finish.
 */
import type { LegName } from "../../../dialects/dialect.ts";
import { continuationsMax, waitsAgainMax } from "../../../limits.ts";
import type { PickFailure } from "../../../pool/pool.ts";
import { type Outcome, outcomes } from "../../context/outcomes.ts";
import type { ExchangeActions, ExchangeOptions, Order } from "./exchange-actions.ts";
import { type LegOutcomes, splitOutcomes, wholeOutcomes } from "./leg-outcomes.ts";
import { LegTries } from "./leg-tries.ts";

export class ExchangeSteps {
  readonly actions: ExchangeActions;
  readonly outcomes: LegOutcomes;
  prefill: "none" | "sent" | "done" = "none";
  /** `waiting`: its response has come, and cannot be told without the prefill's. */
  decode: "none" | "sent" | "waiting" = "none";
  /** Whose response is the client's; undefined = nothing was sent to the client yet. */
  deliveringLeg: LegName | undefined;
  order: Order;
  /** Decode first, by response: decode has asked for a prefill, and is sent again after it. */
  needsPrefill = false;
  /** A call-back waits for its response. */
  owesCallback = false;
  /** The client has the beginning of a response whose decode engine has preempted it. */
  hasBegun = false;
  ended = false;
  readonly #options: ExchangeOptions;
  readonly #tries: LegTries;
  #attempts = 0;
  #waitsAgain = 0;
  #preemptions = 0;

  constructor(options: ExchangeOptions, actions: ExchangeActions) {
    this.#options = options;
    this.order = options.order;
    this.actions = actions;
    this.outcomes = options.servesWhole ? wholeOutcomes : splitOutcomes;
    this.#tries = new LegTries(options.tries);
  }

  startAttempt(): void {
    this.prefill = "none";
    this.decode = "none";
    this.needsPrefill = false;
    this.#attempts += 1;
    const attempt = this.#attempts;
    this.actions.openAttempt();
    switch (this.order) {
      case "prefill-first":
        if (this.#canDecode()) this.sendPrefill();
        break;
      case "together":
        if (!this.#reserve("decode") || !this.#reserve("prefill")) break;
        // Decode first: some wait for the prefill's call before they take anything else. If it fails while it is being
        // sent, another attempt may have been started.
        if (this.sendDecode() && this.#attempts === attempt) this.sendPrefill();
        break;
      case "decode-first":
      case "decode-only":
        this.sendDecode();
        break;
    }
  }

  sendPrefill(): void {
    this.prefill = "sent";
    const failure = this.actions.send("prefill");
    if (failure !== undefined) this.notPicked("prefill", failure);
  }

  /** False if it could not be sent, or its sending has ended the request. */
  sendDecode(): boolean {
    this.decode = "sent";
    const failure = this.actions.send("decode");
    if (failure !== undefined) this.notPicked("decode", failure);
    return failure === undefined && !this.ended;
  }

  /** No engine could be picked for the leg. */
  notPicked(leg: LegName, failure: PickFailure): void {
    if (leg === "prefill" && this.fallBack()) return;
    if (failure === "at-capacity" && this.#waitAgain()) return;
    if (leg === "prefill" && this.deliveringLeg === "decode") this.goOnWithoutPrefill();
    else this.finish(this.#tries.lastFailure ?? this.outcomes[leg][failure]);
  }

  /** Has decode compute the prompt, if the route allows it and nothing of a response was sent. */
  fallBack(): boolean {
    if (!this.#options.fallsBack || this.deliveringLeg !== undefined) return false;
    if (this.order === "decode-only") return false;
    this.order = "decode-only";
    this.#restart();
    return true;
  }

  /** A prefill failed that was asked for after decode's response had begun, which does without it. */
  goOnWithoutPrefill(): void {
    this.actions.cancel("prefill");
    this.respondToCallback(false);
  }

  mayFail(leg: LegName): boolean {
    return this.deliveringLeg === undefined && this.hasTry(leg);
  }

  hasTry(leg: LegName): boolean {
    return this.#tries.hasNext(leg);
  }

  /** Tries another prefill engine. Decode, if it is in flight, starts again, too: its KV cache will not come. */
  retryPrefill(failure: Outcome | undefined): boolean {
    const isOpen = this.deliveringLeg === undefined;
    if (!this.#tries.failed("prefill", failure, isOpen)) return false;
    this.actions.countRetry("prefill");
    this.#restart();
    return true;
  }

  /** Tries another decode engine, with a new prefill unless the KV cache of the last one is still there. */
  retryDecode(failure: Outcome | undefined, isKvLeft: boolean): boolean {
    const isOpen = this.deliveringLeg === undefined;
    if (!this.#tries.failed("decode", failure, isOpen)) return false;
    this.actions.countRetry("decode");
    if (isKvLeft && this.prefill === "done" && !this.#options.choosesDecodeFirst) {
      this.actions.cancel("decode");
      this.sendDecode();
    } else this.#restart();
    return true;
  }

  /**
   * Starts an attempt for the rest of a response that was preempted, or broke off. If none can be had, it breaks off.
   * @param hasBegun the client has some of the response
   * @param canContinue there is a request for the rest
   */
  continueResponse(hasBegun: boolean, canContinue: boolean): void {
    this.deliveringLeg = undefined;
    this.prefill = "none";
    this.hasBegun ||= hasBegun;
    this.#preemptions += 1;
    this.#tries.renew();
    if (canContinue && this.#preemptions <= continuationsMax) this.#restart();
    else this.finish(outcomes.decodePreempted);
  }

  respondToCallback(ok: boolean): void {
    if (!this.owesCallback) return;
    this.owesCallback = false;
    this.actions.respondToCallback(ok);
  }

  deliverFrom(leg: LegName): void {
    this.deliveringLeg = leg;
    this.actions.deliverFrom(leg);
  }

  /** By what the legs have come to. */
  finish(outcome: Outcome): void {
    // It is too late for a status.
    const isLate = this.hasBegun && outcome !== outcomes.answered && outcome.status !== 0;
    this.end(isLate ? outcomes.truncated : outcome);
  }

  end(outcome: Outcome): void {
    this.ended = true;
    // A decode engine that has responded in full has its KV cache, whatever the prefill has still to say.
    const hasKv = outcome === outcomes.answered && this.deliveringLeg === "decode";
    if (hasKv) this.respondToCallback(true);
    this.#cancelBoth();
    this.actions.finish(outcome);
  }

  #reserve(leg: LegName): boolean {
    const failure = this.actions.reserve(leg);
    if (failure !== undefined) this.notPicked(leg, failure);
    return failure === undefined;
  }

  /** A prefill whose decode finds no engine would leave its KV cache behind: better not to start it. */
  #canDecode(): boolean {
    if (this.#options.choosesDecodeFirst) return this.#reserve("decode");
    const failure = this.actions.lookFor("decode");
    if (failure !== undefined) this.notPicked("decode", failure);
    return failure === undefined;
  }

  /**
   * The capacity that the request had waited for is gone, for example because an engine has failed: it waits again. Not
   * with a KV cache or a response, and not for a prefill that decode is to do without.
   */
  #waitAgain(): boolean {
    if (this.prefill === "done" || this.deliveringLeg !== undefined) return false;
    if (this.order !== this.#options.order || this.#waitsAgain >= waitsAgainMax) return false;
    this.#waitsAgain += 1;
    this.#cancelBoth();
    return this.actions.waitAgain();
  }

  #restart(): void {
    this.#cancelBoth();
    this.startAttempt();
  }

  #cancelBoth(): void {
    this.actions.cancel("prefill");
    this.actions.cancel("decode");
    this.respondToCallback(false);
  }
}
