/** Drives the exchange of one request: runs its commands on real legs, and reports what happens to them. */
import type { LegName } from "../../../dialects/dialect.ts";
import type { ResponseHead } from "../../../http1/head/response-head.ts";
import type { PickFailure } from "../../../pool/pool.ts";
import { Admission } from "../../admission/admission.ts";
import type { Explanation } from "../../context/explained/explanation.ts";
import type { LegFailure } from "../../context/legs.ts";
import { type Outcome, outcomes } from "../../context/outcomes.ts";
import type { RequestContext } from "../../context/request-context.ts";
import type { ClientResponse } from "../../response/client-response.ts";
import { replacedError } from "../../response/engine-error.ts";
import { mergerOf } from "../../response/response-merger.ts";
import type { Route } from "../../routing/route.ts";
import type { EngineConnection } from "../../upstream/connection/engine-connection.ts";
import type { ResponseFault } from "../../upstream/connection/engine-failure.ts";
import type { Leg, LegRequest } from "../../upstream/leg.ts";
import { LegRetries } from "../../upstream/leg-retries.ts";
import type { CalledBack } from "../callbacks.ts";
import { Exchange } from "../exchange/exchange.ts";
import type { ExchangeActions } from "../exchange/exchange-actions.ts";
import { type KvDuty, kvDutyOf } from "../kv/kv-duty.ts";
import { chooseOrder, exchangeOptions } from "../legs/choose-order.ts";
import { LegPatience } from "../legs/leg-patience.ts";
import { Legs } from "../legs/legs.ts";
import { Attempt } from "./attempt.ts";
import { Delivery } from "./delivery.ts";
import type { ExchangeRequest, ExchangeServices } from "./exchange-services.ts";
import { PrefillBody } from "./prefill-body.ts";
import { PrefillEvents, type PrefillParts } from "./prefill-events.ts";

export class ExchangeDriver implements ExchangeActions, LegRequest, CalledBack, PrefillParts {
  readonly services: ExchangeServices;
  readonly request: ExchangeRequest;
  readonly #context: RequestContext;
  readonly explanation: Explanation | undefined;
  readonly route: Route;
  readonly #response: ClientResponse;
  readonly exchange: Exchange;
  readonly legs: Legs;
  readonly prefillResponse: PrefillBody | undefined;
  /** Undefined = there is nothing to prefill. */
  readonly #prefill: PrefillEvents | undefined;
  /** Undefined = nothing comes before an engine is picked. */
  admission: Admission | undefined;
  readonly attempt: Attempt;
  readonly delivery: Delivery;
  readonly #retries: LegRetries;
  /** Undefined = no engine holds a KV cache for this request. */
  readonly kv: KvDuty | undefined;
  /** Bytes of responses that are counted as held back. */
  #heldBytes = 0;
  /** Why the request cannot be forwarded at all. */
  readonly #refusal: Outcome | undefined;

  constructor(request: ExchangeRequest, route: Route, prefills: boolean) {
    const { context, worker, members } = request;
    this.request = request;
    this.#context = context;
    this.explanation = context.explanation;
    this.services = worker;
    this.route = route;
    this.#response = request.response;
    const merger = mergerOf(members, route, request.response);
    this.legs = new Legs(request, route, this);
    const plan = chooseOrder(request, route, this.legs, prefills);
    const { order, dialectRequest, refusal, cachedAt } = plan;
    this.legs.picks.stickyEngine = cachedAt;
    this.attempt = new Attempt(request, route, dialectRequest, merger);
    this.#refusal = refusal;
    if (order !== "decode-only") {
      this.legs.addPrefill();
      this.prefillResponse = new PrefillBody();
      this.kv = kvDutyOf(this);
    }
    this.exchange = new Exchange(exchangeOptions(route, order), this);
    this.#retries = new LegRetries(request, route, this);
    this.delivery = new Delivery(request, this.exchange, this.attempt, merger, this.#retries);
    if (this.prefillResponse !== undefined) {
      this.#prefill = new PrefillEvents(this, this.prefillResponse);
    }
  }

  start(): void {
    if (this.#refusal !== undefined) this.exchange.abort(this.#refusal);
    else if (!this.services.hasAdmissionSteps) this.exchange.startAttempt();
    else {
      this.admission = new Admission(this.request, this.route, this.legs, this.exchange);
      this.admission.start();
    }
  }

  /** Ends the request from outside: the client is gone or too slow. */
  abort(outcome: Outcome): void {
    this.exchange.abort(outcome);
  }

  /** The client has read what waited for it. */
  clientDrained(): void {
    this.delivery.resume();
  }

  // ---- Commands of the exchange ----

  openAttempt(): void {
    const isAlone = this.exchange.order === "decode-only";
    if (isAlone && this.legs.prefill !== undefined && !this.#context.fellBack) {
      this.#context.fellBack = true;
      this.services.reports.fellBack(this.#context);
    }
    this.kv?.end();
    this.attempt.open(isAlone, this);
  }

  lookFor(name: LegName): PickFailure | undefined {
    return this.legs.lookFor(name);
  }

  reserve(name: LegName): PickFailure | undefined {
    return this.legs.reserve(name, this.admission);
  }

  send(name: LegName): PickFailure | undefined {
    const leg = this.legs.get(name);
    if (name === "prefill") this.prefillResponse!.clear();
    else this.delivery.reset();
    const refusal = leg.isReserved ? undefined : this.reserve(name);
    if (refusal === undefined) leg.start();
    return refusal;
  }

  countRetry(name: LegName): void {
    this.#retries.retry(this.legs.get(name));
    this.legs.changePair(name);
  }

  cancel(name: LegName): void {
    (this.kv ?? this.legs).giveUp(name);
    if (name === "prefill") this.admission?.releasePrefill();
  }

  waitAgain(): boolean {
    return this.admission?.waitAgain() ?? false;
  }

  deliverFrom(name: LegName): void {
    const replaced = replacedError(this.route, this.#response, this.#context);
    if (replaced !== undefined) this.exchange.abort(replaced);
    if (replaced !== undefined || name !== "decode") return;
    // Alone, decode may still be sent after a prefill that failed.
    const response = this.attempt.transfer && this.prefillResponse;
    const isPending = response !== undefined && this.exchange.isPrefillPending;
    const isWhole = !isPending && response?.isEmpty === false;
    const whole = isWhole ? response.bytes : undefined;
    this.delivery.deliver(isPending || isWhole ? { whole } : undefined);
  }

  respondToCallback(ok: boolean): void {
    this.attempt.respondToCallback(ok);
  }

  finish(outcome: Outcome): void {
    this.#retries.end();
    this.delivery.faults.end();
    this.kv?.end();
    this.attempt.end();
    this.admission?.cancel();
    this.request.ended(outcome);
  }

  // ---- Events of the legs ----

  writeLeg(leg: Leg, connection: EngineConnection): void {
    this.#retries.sent();
    const headers = leg.name === "prefill" ? this.legs.targets.prefillRoute : this.route;
    if (leg.name === "prefill") this.kv?.prefillSent();
    this.attempt.write(leg, connection, this.legs, headers);
  }

  legHead(leg: Leg, connection: EngineConnection): void {
    const { head } = connection;
    if (leg.name === "decode") this.delivery.faults.watch(leg, head, this.kv?.isOpen ?? false);
    if (head.status >= 300) this.kv?.refused(leg.name);
    const retry = this.#retries.responded(leg, head, this.#hasTry(leg));
    if (leg.name === "prefill" && head.status < 300) return;
    if (this.exchange.resumes) {
      this.#resumed(leg, head, retry);
      return;
    }
    if (leg.name === "prefill") this.delivery.retractUnsent();
    // Also if another engine may be tried: the exchange may have no try left, and then this is the client's response.
    const id = this.route.givesRequestId ? this.#context.requestId : "";
    if (this.exchange.deliveringLeg === undefined)
      this.delivery.head(head, this.route.responses, id, leg.pool);
    if (leg.name === "prefill") this.#prefill!.refused(retry, head.status < 500);
    else if (retry) this.exchange.decodeResponded(false, true);
    else this.delivery.decodeHead(connection);
  }

  legBody(leg: Leg, connection: EngineConnection, chunk: Buffer, start: number, end: number): void {
    if (leg.name === "decode") {
      const fault = this.delivery.saw(leg, connection, chunk, start, end);
      if (fault !== undefined) {
        leg.fail(fault);
        return;
      }
      this.kv?.decodeResponds(connection.head.status, this.delivery.faults.generates);
    }
    if (this.exchange.deliveringLeg === leg.name) this.delivery.pass(connection, chunk, start, end);
    else if (leg.name === "prefill") this.#prefill!.body(leg, connection, chunk, start, end);
    else this.delivery.decodeBody(connection, chunk, start, end);
    this.#countHeld();
  }

  /** Counts what is held back of the responses in the worker's total of bodies. */
  #countHeld(): void {
    const held = this.#response.bufferedBytes + (this.prefillResponse?.byteLength ?? 0);
    if (held === this.#heldBytes || this.exchange.ended) return;
    const more = held - this.#heldBytes;
    this.#heldBytes = held;
    if (!this.request.body.hold(more)) this.exchange.abort(outcomes.bodiesFull);
  }

  legEnded(leg: Leg): void {
    const isPrefill = leg.name === "prefill";
    if (isPrefill && this.exchange.deliveringLeg !== "prefill") this.#prefill!.ended();
    else this.delivery.legEnded(isPrefill ? "prefill" : "decode");
  }

  isUndecided(leg: Leg): boolean {
    if (leg.name === "decode") return this.delivery.faults.isOpen;
    return this.exchange.deliveringLeg !== leg.name;
  }

  isFinal(leg: Leg): boolean {
    return leg.name === "decode" && this.delivery.isFinal;
  }

  faultOf(leg: Leg): ResponseFault | undefined {
    if (leg.name !== "decode") return this.#prefill!.fault;
    const { faults } = this.delivery;
    const fault = faults.atEnd(leg);
    if (fault === undefined) this.kv?.decodeResponds(leg.connection!.head.status, faults.generates);
    return fault;
  }

  legFailed(leg: Leg, failure: LegFailure, unsent: boolean, connection: EngineConnection): void {
    const isFinal = this.prefillResponse?.isFinal === true;
    const mayRetry = !isFinal && this.#retries.failed(leg, failure, unsent, this.#hasTry(leg));
    this.delivery.retractUnsent();
    this.kv?.failed(leg.name, failure, unsent, connection);
    if (leg.name === "decode" && this.#goesOn()) return;
    if (leg.name === "decode") this.delivery.decodeFailed();
    if (leg.name === "prefill") this.#prefill!.failed(failure, mayRetry);
    else this.exchange.decodeFailed(failure, mayRetry, unsent);
  }

  get isOpen(): boolean {
    return !(this.#response.started || this.delivery.isFinal) || this.exchange.resumes;
  }

  #hasTry(leg: Leg): boolean {
    return this.exchange.hasTry(leg.name === "prefill" ? "prefill" : "decode");
  }

  /** Made where a leg is late: few are. */
  get patience(): LegPatience {
    return new LegPatience(this.#context, this.exchange, this.legs, this.#retries);
  }

  get mayBeResent(): boolean {
    return this.#retries.mayBeResent;
  }

  peerOf(leg: Leg): Leg | undefined {
    return this.attempt.transfer && this.legs.peerOf(leg);
  }

  decodeCalledBack(): void {
    this.legs.decode.health.calledBack();
    this.exchange.calledBack();
  }

  calledBackInvalidly(): void {
    this.exchange.decodeInvalid();
  }

  /** Decode has died in the middle of a response, which goes on from another engine. */
  #goesOn(): boolean {
    if (this.route.resumed === undefined || !this.exchange.deliversDecode) return false;
    this.legs.forgetTries();
    return this.delivery.survives();
  }

  /** The head of a response that continues a preempted one; the client has had its own head. */
  #resumed(leg: Leg, head: ResponseHead, retry: boolean): void {
    if (leg.name === "prefill") this.exchange.prefillRefused(retry, head.status < 500);
    else if (head.status >= 300 || !this.delivery.goesOn(head))
      this.exchange.decodeResponded(false, retry);
  }
}
