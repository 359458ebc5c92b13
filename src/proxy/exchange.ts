/**
 * The state machine that owns a request between its arrival and its end: which leg is sent when, what a failure leads to, whose
 * answer is the client's. It does no I/O; the driver (`request.ts`) tells it what happened and does what it commands.
 *
 * The orders that engine families need: prefill first, both together, decode first with a call-back for the prefill,
 * and decode alone where there is nothing to prefill.
 */
import type { LegOrder } from "../dialects/dialect.ts";
import type { NoPlace } from "../fleet/pool.ts";
import { type Outcome, outcomes } from "./outcomes.ts";

export type Order = LegOrder | "decode-only";
export type LegName = "prefill" | "decode";

/** What went wrong with a leg before its answer was the client's. */
export type LegFailure = "error" | "timeout" | "invalid";

export interface ExchangeActions {
  /** Picks an engine that this leg has not tried and sends it the request; says why when there is none. */
  send(leg: LegName): NoPlace | undefined;
  /** Ends a leg that is not wanted any more. Harmless when it is over. */
  cancel(leg: LegName): void;
  /** From now on the answer of this leg goes to the client; what of it has come already goes first. */
  answerFrom(leg: LegName): void;
  /** The decode engine's call-back (decode first) gets its answer. Each gets one, also when the request ends before. */
  answerCallback(ok: boolean): void;
  /** The request is over. With `answered` the client has its whole answer. Called once. */
  finish(outcome: Outcome): void;
}

export interface ExchangeTries {
  /** Most engines that may be tried for each leg, the first included. */
  readonly prefill: number;
  readonly decode: number;
}

export class Exchange {
  readonly #order: Order;
  readonly #tries: ExchangeTries;
  readonly #actions: ExchangeActions;
  #prefillFailures = 0;
  #decodeFailures = 0;
  #prefill: "none" | "sent" | "done" = "none";
  #decode: "none" | "sent" | "held" = "none";
  #answering: LegName | undefined;
  #lastFailure: Outcome | undefined;
  #owesCallback = false;
  #ended = false;

  constructor(order: Order, tries: ExchangeTries, actions: ExchangeActions) {
    this.#order = order;
    this.#tries = tries;
    this.#actions = actions;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Whose answer the client is getting; undefined = nothing was sent to the client yet. */
  get answering(): LegName | undefined {
    return this.#answering;
  }

  begin(): void {
    this.#prefill = "none";
    this.#decode = "none";
    switch (this.#order) {
      case "prefill-first":
        this.#sendPrefill();
        break;
      case "together":
        // A prefill that fails while it is being sent may have begun both anew.
        if (this.#sendPrefill() && this.#decode === "none") this.#sendDecode();
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

  /** The prefill engine's answer is complete, with a 2xx status. */
  prefillDone(): void {
    if (this.#ended) return;
    this.#prefill = "done";
    this.#answerCallback(true);
    if (this.#order === "prefill-first") this.#sendDecode();
    else if (this.#decode === "held") this.#answerFrom("decode");
  }

  /** The prefill engine answered with another status. @param mayRetry the route allows another engine for this status */
  prefillRefused(mayRetry: boolean): void {
    if (this.#ended) return;
    if (mayRetry && this.#retryPrefill(undefined)) return;
    if (this.#answering === "decode") {
      this.#goOnWithout();
      return;
    }
    this.#answerCallback(false);
    this.#actions.cancel("decode");
    this.#answerFrom("prefill");
  }

  prefillFailed(failure: LegFailure, mayRetry: boolean): void {
    if (this.#ended) return;
    if (this.#answering === "prefill") {
      this.#finish(outcomes.truncated);
      return;
    }
    const outcome = prefillOutcomes[failure];
    if (mayRetry && this.#retryPrefill(outcome)) return;
    if (this.#answering === "decode") this.#goOnWithout();
    else this.#finish(outcome);
  }

  /** The decode engine's answer has begun, or (where it is held back) is complete. */
  decodeAnswered(ok: boolean, mayRetry: boolean): void {
    if (this.#ended) return;
    if (!ok && mayRetry && this.#retryDecode(undefined, false)) return;
    // With both legs in flight an answer is only good once the prefill is; a refusal is final at once.
    if (ok && this.#prefill === "sent") this.#decode = "held";
    else {
      if (!ok) this.#actions.cancel("prefill");
      this.#answerFrom("decode");
    }
  }

  /** @param kvKept the request did not reach the decode engine, so the prefill's KV cache is still there for another */
  decodeFailed(failure: LegFailure, mayRetry: boolean, kvKept: boolean): void {
    if (this.#ended) return;
    if (this.#answering === "decode") {
      this.#finish(outcomes.truncated);
      return;
    }
    const outcome = decodeOutcomes[failure];
    if (mayRetry && this.#retryDecode(outcome, kvKept)) return;
    this.#finish(outcome);
  }

  /** The answer broke off before any byte of it went to the client: the failure that follows may lead to another. */
  takeBackAnswer(): void {
    this.#answering = undefined;
  }

  /** The leg whose answer is the client's has sent all of it. */
  answerEnded(): void {
    if (!this.#ended) this.#finish(outcomes.answered);
  }

  /** Something outside of the legs ends the request: the client went away, a bound was hit, the proxy stops. */
  abort(outcome: Outcome): void {
    if (!this.#ended) this.#finish(outcome);
  }

  #sendPrefill(): boolean {
    this.#prefill = "sent";
    const refusal = this.#actions.send("prefill");
    if (refusal === undefined) return !this.#ended;
    const outcome = refusal === "all-full" ? outcomes.prefillFull : outcomes.noPrefillEngine;
    if (this.#answering === "decode") this.#goOnWithout();
    else this.#finish(this.#lastFailure ?? outcome);
    return false;
  }

  /** A prefill fails that was asked for after decode's answer had begun: that answer does without it. */
  #goOnWithout(): void {
    this.#actions.cancel("prefill");
    this.#answerCallback(false);
  }

  #sendDecode(): void {
    this.#decode = "sent";
    const refusal = this.#actions.send("decode");
    if (refusal === undefined) return;
    const outcome = refusal === "all-full" ? outcomes.decodeFull : outcomes.noDecodeEngine;
    this.#finish(this.#lastFailure ?? outcome);
  }

  /** Tries another prefill engine; where decode is in flight already it starts anew as well, since its KV will not come. */
  #retryPrefill(failure: Outcome | undefined): boolean {
    this.#prefillFailures += 1;
    if (this.#answering !== undefined || this.#prefillFailures >= this.#tries.prefill) return false;
    this.#lastFailure = failure ?? this.#lastFailure;
    this.#beginAnew();
    return true;
  }

  /** Tries another decode engine, with a new prefill unless the KV cache of the last one is still there. */
  #retryDecode(failure: Outcome | undefined, kvKept: boolean): boolean {
    this.#decodeFailures += 1;
    if (this.#answering !== undefined || this.#decodeFailures >= this.#tries.decode) return false;
    this.#lastFailure = failure ?? this.#lastFailure;
    if (kvKept && this.#order === "prefill-first") {
      this.#actions.cancel("decode");
      this.#sendDecode();
    } else this.#beginAnew();
    return true;
  }

  #beginAnew(): void {
    this.#actions.cancel("prefill");
    this.#actions.cancel("decode");
    this.#answerCallback(false);
    this.begin();
  }

  #answerCallback(ok: boolean): void {
    if (!this.#owesCallback) return;
    this.#owesCallback = false;
    this.#actions.answerCallback(ok);
  }

  #answerFrom(leg: LegName): void {
    this.#answering = leg;
    this.#actions.answerFrom(leg);
  }

  #finish(outcome: Outcome): void {
    this.#ended = true;
    this.#actions.cancel("prefill");
    this.#actions.cancel("decode");
    this.#answerCallback(false);
    this.#actions.finish(outcome);
  }
}

const prefillOutcomes: Readonly<Record<LegFailure, Outcome>> = {
  error: outcomes.prefillFailed,
  timeout: outcomes.prefillTimeout,
  invalid: outcomes.prefillInvalid,
};
const decodeOutcomes: Readonly<Record<LegFailure, Outcome>> = {
  error: outcomes.decodeFailed,
  timeout: outcomes.decodeTimeout,
  invalid: outcomes.decodeInvalid,
};
