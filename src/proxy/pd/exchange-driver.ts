/** One request on its way through engines: runs the exchange's commands on real legs, and hands it what happens to them. */
import type { DialectRequest, KvTransfer, LegName } from "../../dialects/dialect.ts";
import type { ResponseHead } from "../../http1/head/response-head.ts";
import { bufferedResponseBytesMax, relayPendingBytesMax } from "../../limits.ts";
import type { Engine } from "../../pool/engine.ts";
import type { PickFailure } from "../../pool/pool.ts";
import { Admission } from "../admission/admission.ts";
import type { Explanation } from "../context/explanation.ts";
import type { LegFailure } from "../context/legs.ts";
import type { Outcome } from "../context/outcomes.ts";
import type { RequestContext } from "../context/request-context.ts";
import type { ClientResponse } from "../response/client-response.ts";
import { CollectedBody } from "../response/collected-body.ts";
import { finalReply } from "../response/local-reply.ts";
import { ResponseMerger } from "../response/response-merger.ts";
import type { Route } from "../routing/route.ts";
import type { EngineConnection } from "../upstream/engine-connection.ts";
import type { ForwardedRequest, WorkerServices } from "../upstream/forwarded-request.ts";
import { Leg, type LegRequest } from "../upstream/leg.ts";
import { legBody } from "../upstream/leg-body.ts";
import { sendLegMessage } from "../upstream/leg-message.ts";
import { allowsRetry, conditionOf } from "../upstream/retry.ts";
import type { AttemptCallback, Callbacks, CalledBack } from "./callbacks.ts";
import { chooseOrder, exchangeOptions } from "./choose-order.ts";
import { Exchange, type ExchangeActions } from "./exchange.ts";
import { enginesOf, noEngines, rankLine, sourceAmongOthers } from "./leg-engines.ts";
import { PickRequests } from "./pick-requests.ts";
import { learnFromPrefill } from "./prefill-usage.ts";
import { Targets } from "./targets.ts";

/** What the driver needs of its worker beyond what legs and admission do. */
export interface ExchangeServices extends WorkerServices {
  /** Where decode engines call back for their prefill. */
  readonly callbacks: Callbacks;
  /** Decode computes a prompt because no prefill could be had. */
  reportFallback(context: RequestContext): void;
}

export interface ExchangeRequest extends ForwardedRequest {
  readonly worker: ExchangeServices;
}

export class ExchangeDriver implements ExchangeActions, LegRequest, CalledBack {
  readonly services: ExchangeServices;
  readonly #request: ExchangeRequest;
  readonly #context: RequestContext;
  readonly explanation: Explanation | undefined;
  readonly #route: Route;
  readonly #response: ClientResponse;
  readonly #exchange: Exchange;
  readonly #decode: Leg;
  /** Where there is nothing to prefill there is no such leg. */
  readonly #prefill: Leg | undefined;
  readonly #prefillResponse: CollectedBody | undefined;
  /** As the client sent it, or for the rest of an answer that a decode engine has given up. */
  #dialectRequest: DialectRequest | undefined;
  readonly targets: Targets;
  readonly picks: PickRequests;
  /** Undefined = nothing comes before an engine is picked. */
  #admission: Admission | undefined;
  /** Of the round under way; undefined = the request goes to one engine alone. */
  #transfer: KvTransfer | undefined;
  #callback: AttemptCallback | undefined;
  /** An answer's bytes while the dialect cannot tell yet whether it is one. */
  #inspected: CollectedBody | undefined;
  #isDecodeWhole = false;
  readonly #merged: ResponseMerger;
  #paused: EngineConnection | undefined;
  /** No prefill could be had, and decode computes the prompt. */
  #fellBack = false;
  /** Why the request cannot be forwarded at all. */
  readonly #refusal: Outcome | undefined;

  constructor(request: ExchangeRequest, route: Route, prefills: boolean) {
    const { context, worker, members } = request;
    this.#request = request;
    this.#context = context;
    this.explanation = context.explanation;
    this.services = worker;
    this.#route = route;
    this.#response = request.response;
    this.#merged = new ResponseMerger(members && route.dialect.merge, request.response);
    this.targets = new Targets(request, route);
    this.picks = new PickRequests(request);
    this.#decode = new Leg("decode", this, context.decodes);
    const plan = chooseOrder(request, route, this, prefills);
    const { order, dialectRequest, refusal, cachedAt } = plan;
    this.picks.stickyEngine = cachedAt;
    this.#dialectRequest = dialectRequest;
    this.#refusal = refusal;
    if (order !== "decode-only") {
      this.#prefill = new Leg("prefill", this, context.prefills);
      this.#prefillResponse = new CollectedBody();
    }
    this.#exchange = new Exchange(exchangeOptions(route, order), this);
  }

  begin(): void {
    if (this.#refusal !== undefined) this.#exchange.abort(this.#refusal);
    else if (!this.services.hasAdmissionSteps) this.#exchange.begin();
    else {
      this.#admission = new Admission(this.#request, this.#route, this, this.#exchange);
      this.#admission.start();
    }
  }

  /** Ends the request from outside: the client is gone or too slow. */
  abort(outcome: Outcome): void {
    this.#exchange.abort(outcome);
  }

  /** The client has read what waited for it. */
  clientDrained(): void {
    this.#paused?.resume();
    this.#paused = undefined;
  }

  // ---- Commands of the exchange ----

  openAttempt(): void {
    if (this.#exchange.order === "decode-only" && this.#prefill !== undefined && !this.#fellBack) {
      this.#fellBack = true;
      this.services.reportFallback(this.#context);
    }
    const alone = this.#exchange.order === "decode-only" || this.#dialectRequest === undefined;
    this.#transfer = alone ? undefined : this.#route.dialect.beginTransfer(this.#dialectRequest!);
    this.#callback?.end();
    this.#callback =
      this.#transfer?.callbackUrl && this.services.callbacks.open(this.#transfer, this);
  }

  lookFor(name: LegName): PickFailure | undefined {
    const destination = this.targets.destination(name);
    return destination === undefined
      ? "no-healthy-engine"
      : destination.pool.vacancy(this.services.clock.wallMs());
  }

  reserve(name: LegName): PickFailure | undefined {
    const destination = this.targets.destination(name);
    if (destination === undefined) return "no-healthy-engine";
    const { pool, uri } = destination;
    const leg = this.#leg(name);
    const pick = this.picks.pick(pool);
    if (leg === this.#prefill && this.#admission?.reserve(leg, uri, pick)) return undefined;
    return leg.reserve(pool, uri, pick);
  }

  send(name: LegName): PickFailure | undefined {
    const leg = this.#leg(name);
    if (name === "prefill") this.#prefillResponse!.clear();
    else {
      this.#response.dropBuffered();
      this.#inspected = undefined;
      this.#isDecodeWhole = false;
    }
    const refusal = leg.isReserved ? undefined : this.reserve(name);
    if (refusal === undefined) leg.start();
    return refusal;
  }

  cancel(name: LegName): void {
    if (name === "prefill") {
      this.#prefill?.cancel();
      this.#admission?.releasePrefill();
    } else this.#decode.cancel(this.#exchange.holdsKv && this.#route.dialect.releasesByDecode);
  }

  waitAgain(): boolean {
    return this.#admission?.waitAgain() ?? false;
  }

  deliverFrom(name: LegName): void {
    if (name !== "decode") return;
    // Alone, decode may still be sent after a prefill that failed.
    const prefillResponse = this.#transfer && this.#prefillResponse?.bytes;
    this.#merged.release(this.#dialectRequest, prefillResponse, this.#isDecodeWhole);
    this.clientDrained();
    if (this.#response.isUnfinished) this.#goOn();
    else if (this.#isDecodeWhole) this.#responseEnded();
  }

  respondToCallback(ok: boolean): void {
    this.#callback?.response(ok);
  }

  finish(outcome: Outcome): void {
    this.#callback?.end();
    this.#admission?.cancel();
    this.#request.ended(outcome);
  }

  // ---- Events of the legs ----

  writeLeg(leg: Leg, connection: EngineConnection): void {
    const route = this.#route;
    const headers = leg === this.#prefill ? this.targets.prefillRoute : route;
    const transfer = this.#transfer;
    const engines = transfer && enginesOf(this.#prefill, this.#decode);
    const transferId = engines && transfer!.requestId?.(engines);
    if (transferId !== undefined) this.#merged.useIds(transferId, this.#clientsId);
    if (engines !== undefined && leg === this.#decode) this.#callback?.tell(engines.decode);
    const members = this.#dialectRequest?.members;
    const name = leg === this.#prefill ? "prefill" : "decode";
    const edits =
      members &&
      legBody(this.#request, members, route.dialect, transfer, leg, engines ?? noEngines);
    const message = {
      context: this.#context,
      headers,
      route,
      edits,
      isRead: leg === this.#prefill || transfer?.inspectDecode !== undefined || this.#merged.isRead,
      requestId: transferId ?? this.#context.requestId,
      isTransferId: transferId !== undefined,
      lines: rankLine(leg) + ((engines && transfer!.headerLines?.(name, engines)) ?? ""),
    };
    sendLegMessage(leg, connection, message, this.services.scratch);
  }

  legHead(leg: Leg, { head }: EngineConnection): void {
    if (leg === this.#prefill && head.status < 300) return;
    const retry = this.#retryStatus(leg, head.status);
    if (this.#exchange.resumes) {
      this.#resumed(leg, head, retry);
      return;
    }
    // Also where another engine may be tried: the exchange may have no try left, and then this is the client's answer.
    const id = this.#route.givesRequestId ? this.#context.requestId : "";
    if (this.#exchange.deliveringLeg === undefined) {
      this.#response.fromEngine(head, id, this.#request.status);
      this.#merged.begin(head);
    }
    if (leg === this.#prefill) {
      this.#admission?.releasePrefill();
      this.#exchange.prefillRefused(retry, head.status < 500);
    } else if (retry) this.#exchange.decodeResponded(false, true);
    else if (head.status < 300 && this.#transfer?.inspectDecode !== undefined) {
      this.#inspected = new CollectedBody();
      this.#response.hold();
      // A short answer is held until it is complete: until then another engine can still give a better one.
    } else if (
      this.#merged.collects ||
      (head.framing === "length" && head.contentLength <= bufferedResponseBytesMax)
    )
      this.#response.hold();
  }

  legBody(leg: Leg, connection: EngineConnection, chunk: Buffer, start: number, end: number): void {
    const exchange = this.#exchange;
    if (exchange.deliveringLeg === leg.name) {
      this.#relay(connection, chunk, start, end);
      return;
    }
    if (leg === this.#prefill) {
      if (this.#prefillResponse!.add(connection, chunk, start, end)) return;
      leg.cancel();
      exchange.prefillFailed("invalid", false);
      return;
    }
    if (this.#inspected !== undefined) this.#inspect(connection, chunk, start, end);
    else {
      if (!this.#response.isBuffered) {
        exchange.decodeResponded(connection.head.status < 400, false);
        if (exchange.ended) return;
        // The other leg has not answered yet.
        if (exchange.deliveringLeg === undefined) this.#response.hold();
      }
      this.#relay(connection, chunk, start, end);
    }
  }

  legEnded(leg: Leg): void {
    const exchange = this.#exchange;
    if (leg === this.#prefill && exchange.deliveringLeg !== "prefill") {
      this.#prefillEnded();
      return;
    }
    this.#paused = undefined;
    if (leg === this.#decode) this.#isDecodeWhole = true;
    if (this.#inspected !== undefined && this.#misses(true)) return;
    if (exchange.deliveringLeg === leg.name) this.#responseEnded();
    else exchange.decodeResponded(this.#context.status < 400, false);
  }

  legFailed(leg: Leg, failure: LegFailure, unsent: boolean): void {
    const mayRetry = this.#mayRetry(leg, failure);
    if (this.#exchange.deliveringLeg === leg.name && !this.#response.started) {
      this.#exchange.retractResponse();
    }
    if (leg === this.#prefill) {
      this.#admission?.releasePrefill();
      this.#exchange.prefillFailed(failure, mayRetry);
    } else this.#exchange.decodeFailed(failure, mayRetry, unsent);
  }

  sourceOf(leg: Leg): Engine | undefined {
    const isFetching = leg === this.#decode && this.#transfer !== undefined;
    return isFetching ? sourceAmongOthers(this.#prefill) : undefined;
  }

  // ---- Calls of the decode engine ----

  decodeCalledBack(): void {
    this.#exchange.calledBack();
  }

  calledBackInvalidly(): void {
    this.#decode.cancel();
    this.#exchange.decodeFailed("invalid", false, false);
  }

  // ---- The rest ----

  /** As a single engine would put it into its answer. */
  get #clientsId(): string {
    const { requestId, head } = this.#context;
    return requestId || head.fields.get("x-request-id") || this.services.ids.uuid();
  }

  #leg(name: LegName): Leg {
    return name === "prefill" ? this.#prefill! : this.#decode;
  }

  #prefillEnded(): void {
    const response = this.#prefillResponse!.bytes;
    learnFromPrefill(response, this.#request.promptBytes, this.targets, this.#admission);
    const final = this.#transfer!.prefillResponded(response);
    if (final === undefined) this.#exchange.prefillDone();
    else if (final === "no-transfer") this.#exchange.prefillFailed("invalid", false);
    else {
      const isFirst = this.#exchange.deliveringLeg === undefined && !this.#exchange.resumes;
      if (isFirst) finalReply(this.#response, this.#context, final);
      this.#exchange.deliverPrefillResponse();
    }
  }

  /** Asks for the rest of an answer that its engine has given up: a request of its own, which goes the whole way. */
  #goOn(): void {
    const rest = this.#merged.rest(this.#dialectRequest!);
    if (rest !== undefined) this.#dialectRequest = rest;
    this.#exchange.decodePreempted(this.#response.started, rest !== undefined);
  }

  /** The head of an answer that goes on where another one was given up; the client has had its own. */
  #resumed(leg: Leg, head: ResponseHead, retry: boolean): void {
    if (leg === this.#prefill) this.#exchange.prefillRefused(retry, head.status < 500);
    else if (head.status >= 300 || !this.#response.goesOn(head))
      this.#exchange.decodeResponded(false, retry);
  }

  #responseEnded(): void {
    this.#response.end();
    this.#exchange.responseEnded();
  }

  /** Shows the dialect what has come of decode's answer, until it knows whether that is the client's. */
  #inspect(connection: EngineConnection, chunk: Buffer, start: number, end: number): void {
    this.#response.body(connection, chunk, start, end);
    if (!this.#inspected!.add(connection, chunk, start, end)) {
      this.calledBackInvalidly();
    } else if (!this.#misses(false) && this.#inspected === undefined && !this.#merged.collects) {
      this.#exchange.decodeResponded(true, false);
    }
  }

  #misses(isComplete: boolean): boolean {
    const inspection = this.#transfer!.inspectDecode!(this.#inspected!.bytes, isComplete);
    if (inspection === "incomplete" && !isComplete) return false;
    this.#inspected = undefined;
    if (inspection !== "needs-prefill") return false;
    this.#exchange.decodeNeedsPrefill();
    return true;
  }

  #retryStatus(leg: Leg, status: number): boolean {
    if (status < 400 || !this.#mayRetry(leg, status)) return false;
    leg.refused();
    return true;
  }

  #mayRetry(leg: Leg, failure: LegFailure | number): boolean {
    const { retry } = this.#route.config;
    const elapsedMs = this.services.clock.nowMs() - this.#context.startMs;
    const isLate = this.#response.started && !this.#exchange.resumes;
    if (isLate || !allowsRetry(retry, conditionOf(failure), elapsedMs)) return false;
    return leg.mayTryAnother;
  }

  /** Passes bytes on as they come; a client that falls behind stops the reading of its own engine, and nothing else. */
  #relay(connection: EngineConnection, chunk: Buffer, start: number, end: number): void {
    this.#response.body(connection, chunk, start, end);
    if (this.#response.isUnfinished) {
      this.#goOn();
      return;
    }
    if (this.#paused !== undefined) return;
    if (this.#merged.collects && this.#exchange.deliveringLeg === undefined) {
      if (this.#merged.overflows()) this.#exchange.decodeResponded(true, false);
      return;
    }
    const { bufferedBytes } = this.#response;
    if (
      bufferedBytes > bufferedResponseBytesMax ||
      this.#request.pendingBytes > relayPendingBytesMax
    ) {
      this.#paused = connection;
      connection.pause();
    }
  }
}
