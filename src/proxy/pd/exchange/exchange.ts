/**
 * The state machine that owns a request from its admission to its end: which leg is sent when, what a failure leads to,
 * whose response is the client's. It does no I/O: the driver (`exchange-driver.ts`) reports what happened and does what
 * it commands.
 *
 * The orders that engine families need: prefill first, both together, decode first with a call-back for the prefill,
 * and decode alone if there is nothing to prefill.
 */
import type { LegName } from "../../../dialects/dialect.ts";
import type { PickFailure } from "../../../pool/pool.ts";
import type { LegFailure } from "../../context/legs.ts";
import { type Outcome, outcomes } from "../../context/outcomes.ts";
import type { ExchangeActions, ExchangeOptions, Order } from "./exchange-actions.ts";
import { ExchangeSteps } from "./exchange-steps.ts";

export class Exchange {
  readonly #steps: ExchangeSteps;

  constructor(options: ExchangeOptions, actions: ExchangeActions) {
    this.#steps = new ExchangeSteps(options, actions);
  }

  get ended(): boolean {
    return this.#steps.ended;
  }

  /** Whose response the client is getting; undefined = nothing was sent to the client yet. */
  get deliveringLeg(): LegName | undefined {
    return this.#steps.deliveringLeg;
  }

  /** Whether the client is getting decode's response. */
  get deliversDecode(): boolean {
    return !this.ended && this.deliveringLeg === "decode";
  }

  /** The client has the beginning of a response, and waits for the rest of it from the attempt under way. */
  get resumes(): boolean {
    return this.#steps.hasBegun && this.#steps.deliveringLeg === undefined;
  }

  get order(): Order {
    return this.#steps.order;
  }

  /** Decode cannot respond yet: its prefill is not done. One that is to ask for a prefill waits for nobody. */
  get awaitsPrefill(): boolean {
    return this.#steps.prefill === "sent";
  }

  /** Whether a further engine would be tried if this leg failed. */
  mayFail(leg: LegName): boolean {
    return this.#steps.mayFail(leg);
  }

  /** Whether the leg has not had all its tries. */
  hasTry(leg: LegName): boolean {
    return this.#steps.hasTry(leg);
  }

  /** The request is admitted. */
  startAttempt(): void {
    this.#steps.startAttempt();
  }

  /** A request that waited for its prefill engine gets none. */
  noPrefillEngine(failure: PickFailure): void {
    if (!this.ended) this.#steps.notPicked("prefill", failure);
  }

  /** Decode first: the decode engine has asked for its prefill. A second call for the same request changes nothing. */
  calledBack(): void {
    const steps = this.#steps;
    if (steps.ended || steps.order !== "decode-first" || steps.prefill !== "none") return;
    steps.owesCallback = true;
    steps.sendPrefill();
  }

  /**
   * Decode first: the decode engine responds that it needs a prefill. One that has had it, and says so again, has
   * failed.
   */
  decodeNeedsPrefill(): void {
    const steps = this.#steps;
    if (steps.ended) return;
    if (steps.order !== "decode-first" || steps.prefill !== "none") {
      this.decodeInvalid();
      return;
    }
    steps.needsPrefill = true;
    steps.decode = "none";
    steps.actions.cancel("decode");
    steps.sendPrefill();
  }

  /**
   * The prefill's response is all that the client needs, and is sent, unless decode's has begun: that stays the only
   * one.
   */
  deliverPrefillResponse(): void {
    const steps = this.#steps;
    if (steps.ended) return;
    if (steps.deliveringLeg !== undefined) this.prefillDone();
    else if (steps.hasBegun) steps.finish(outcomes.truncated);
    else {
      steps.deliveringLeg = "prefill";
      steps.finish(outcomes.answered);
    }
  }

  /** The prefill engine's response is complete, with a 2xx status. */
  prefillDone(): void {
    const steps = this.#steps;
    if (steps.ended) return;
    steps.prefill = "done";
    steps.respondToCallback(true);
    if (steps.order === "prefill-first" || steps.needsPrefill) steps.sendDecode();
    else if (steps.decode === "waiting") steps.deliverFrom("decode");
  }

  /**
   * The prefill engine responded with another status.
   * @param mayRetry the route allows another engine for this status
   * @param isClients the request is what is wrong
   */
  prefillRefused(mayRetry: boolean, isClients: boolean): void {
    const steps = this.#steps;
    if (steps.ended) return;
    if (mayRetry && steps.retryPrefill(undefined)) return;
    if (!isClients && steps.fallBack()) return;
    if (steps.deliveringLeg === "decode") steps.goOnWithoutPrefill();
    else if (steps.hasBegun) steps.finish(outcomes.truncated);
    else {
      steps.respondToCallback(false);
      steps.actions.cancel("decode");
      steps.deliverFrom("prefill");
    }
  }

  prefillFailed(failure: LegFailure, mayRetry: boolean): void {
    const steps = this.#steps;
    if (steps.ended) return;
    if (steps.deliveringLeg === "prefill") {
      steps.finish(outcomes.truncated);
      return;
    }
    const outcome = steps.outcomes.prefill[failure];
    if (mayRetry && steps.retryPrefill(outcome)) return;
    if (steps.fallBack()) return;
    if (steps.deliveringLeg === "decode") steps.goOnWithoutPrefill();
    else steps.finish(outcome);
  }

  /** A response may begin before the prefill, which is sent, has responded. */
  get isPrefillPending(): boolean {
    return !this.ended && this.#steps.prefill === "sent";
  }

  /**
   * The decode engine's response has begun, or (if it is held back) is complete.
   * @param needsPrefill it can be told only with the prefill's response, if that is still to come
   */
  decodeResponded(ok: boolean, mayRetry: boolean, needsPrefill = false): void {
    const steps = this.#steps;
    if (steps.ended) return;
    if (!ok && mayRetry && steps.retryDecode(undefined, false)) return;
    // Decode has the KV cache, or it would have nothing to say. A refusal is final at once.
    const waits = needsPrefill || steps.decode === "waiting";
    if (ok && waits && steps.prefill === "sent") steps.decode = "waiting";
    else if (!ok && steps.hasBegun) steps.finish(outcomes.truncated);
    else {
      if (!ok) steps.actions.cancel("prefill");
      steps.deliverFrom("decode");
    }
  }

  /** Decode's response, which waits for the prefill's, is the client's without it. */
  deliverWaiting(): void {
    const steps = this.#steps;
    if (steps.ended || steps.decode !== "waiting" || steps.deliveringLeg !== undefined) return;
    steps.deliverFrom("decode");
  }

  /**
   * @param isKvLeft the request did not reach the decode engine, so the prefill's KV cache is still there for another
   */
  decodeFailed(failure: LegFailure, mayRetry: boolean, isKvLeft: boolean): void {
    const steps = this.#steps;
    if (steps.ended) return;
    if (steps.deliveringLeg === "decode") {
      steps.finish(outcomes.truncated);
      return;
    }
    const outcome = steps.outcomes.decode[failure];
    if (mayRetry && steps.retryDecode(outcome, isKvLeft)) return;
    steps.finish(outcome);
  }

  /** The decode engine says what its dialect does not allow. */
  decodeInvalid(): void {
    this.#steps.actions.cancel("decode");
    this.decodeFailed("invalid", false, false);
  }

  /** No byte of the response has gone to the client: the failure that follows may lead to another one. */
  retractResponse(): void {
    this.#steps.deliveringLeg = undefined;
  }

  /**
   * Decode, whose response is the client's, has preempted the request in the middle of it. An attempt starts for the
   * rest.
   * @param hasBegun the client has some of the response
   * @param canContinue there is a request for the rest
   */
  decodePreempted(hasBegun: boolean, canContinue: boolean): void {
    const steps = this.#steps;
    if (!steps.ended && steps.deliveringLeg === "decode") {
      steps.continueResponse(hasBegun, canContinue);
    }
  }

  /** The leg whose response is the client's has sent all of it. */
  responseEnded(): void {
    this.abort(outcomes.answered);
  }

  /** Something outside of the legs ends the request: the client went away, a bound was hit, the proxy stops. */
  abort(outcome: Outcome): void {
    if (!this.ended) this.#steps.end(outcome);
  }
}
