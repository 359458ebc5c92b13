/**
 * What becomes of the legs' responses on their way to the client: held back while another engine can still give a
 * better one, shown to the dialect, merged with what prefill has said, and relayed.
 */

import type { PrefillResponse } from "../../../dialects/dialect.ts";
import type { ResponseHead } from "../../../http1/head/response-head.ts";
import { bufferedResponseBytesMax } from "../../../limits.ts";
import type { Pool } from "../../../pool/pool.ts";
import { beginsWithError } from "../../response/body/stream-marks.ts";
import type { ClientResponse } from "../../response/client-response.ts";
import type { ResponseMerger } from "../../response/response-merger.ts";
import type { ResponseRules } from "../../routing/response/response-rules.ts";
import type { EngineConnection } from "../../upstream/connection/engine-connection.ts";
import type { ResponseFault } from "../../upstream/connection/engine-failure.ts";
import type { Leg } from "../../upstream/leg.ts";
import type { LegRetries } from "../../upstream/leg-retries.ts";
import type { Exchange } from "../exchange/exchange.ts";
import type { Attempt } from "./attempt.ts";
import { DecodeFaults } from "./decode-faults.ts";
import { DecodeInspector } from "./decode-inspector.ts";
import type { ExchangeRequest } from "./exchange-services.ts";
import { Relay } from "./relay.ts";

export class Delivery {
  readonly #request: ExchangeRequest;
  readonly #response: ClientResponse;
  readonly #exchange: Exchange;
  readonly #attempt: Attempt;
  readonly #merger: ResponseMerger;
  readonly #retries: LegRetries;
  readonly #inspector = new DecodeInspector();
  readonly #relay: Relay;
  readonly faults: DecodeFaults;
  /** What has come of a stream is held back until its first event is there. */
  #awaitsEvent = false;
  #isDecodeWhole = false;
  /** The response is the client's though nothing of it has gone out: no other can come in its place. */
  isFinal = false;
  /** As the response under way knows it; undefined = there is none. */
  #prefill: { whole: Buffer | undefined } | undefined;

  constructor(
    request: ExchangeRequest,
    exchange: Exchange,
    attempt: Attempt,
    merger: ResponseMerger,
    retries: LegRetries,
  ) {
    this.#request = request;
    this.#response = request.response;
    this.#exchange = exchange;
    this.#attempt = attempt;
    this.#merger = merger;
    this.#retries = retries;
    this.faults = new DecodeFaults(request, exchange, retries);
    this.#relay = new Relay(request);
  }

  /** Decode is sent: nothing of a response before is left. */
  reset(): void {
    this.#response.dropBuffered();
    this.#relay.release();
    this.#prefill = undefined;
    this.#inspector.stop();
    this.faults.reset();
    this.#awaitsEvent = false;
    this.#isDecodeWhole = false;
    this.isFinal = false;
  }

  /** The client has read what waited for it. */
  resume(): void {
    this.#relay.resume();
  }

  /** Bytes of decode's response. @returns why another engine is to be tried; undefined = it is not, so far */
  saw(
    leg: Leg,
    connection: EngineConnection,
    chunk: Buffer,
    start: number,
    end: number,
  ): ResponseFault | undefined {
    if (!this.faults.isWatching) return undefined;
    const fault = this.faults.saw(leg, connection, chunk, start, end);
    if (fault !== undefined || !this.faults.isOpen) return fault;
    if (!this.#response.isBuffered && this.#exchange.deliveringLeg === undefined) {
      this.#awaitsEvent = true;
      this.#response.hold();
    }
    return undefined;
  }

  /** Of a response of which nothing has gone out, the client knows nothing: another one may come in its place. */
  retractUnsent(): void {
    const { deliveringLeg } = this.#exchange;
    if (this.isFinal) return;
    if (deliveringLeg !== undefined && !this.#response.started) this.#exchange.retractResponse();
  }

  /**
   * A response's head, which may become the client's.
   * @param requestId for the client; "" = none
   * @param pool of the engine
   */
  head(head: ResponseHead, rules: ResponseRules, requestId: string, pool: Pool | undefined): void {
    this.#response.fromEngine(head, rules, requestId, this.#request.status, pool);
    this.#merger.start(head);
  }

  /** Decode's response has begun, and may be the client's: holds it back where it can still be replaced or changed. */
  decodeHead(connection: EngineConnection): void {
    const { head } = connection;
    if (head.status === 101) {
      this.#deliverHead();
      this.#request.upgraded(connection);
      return;
    }
    if (head.status < 300 && this.#inspects) {
      this.#inspector.start();
      this.#response.hold();
      return;
    }
    // As in nginx, which has sent the head by now.
    if (this.#retries.endWithHead && !this.#merger.collects) {
      this.isFinal = true;
      this.#exchange.decodeResponded(head.status < 400, false);
      return;
    }
    // Until a short response is complete another engine can still give a better one.
    const isShort = head.framing === "length" && head.contentLength <= bufferedResponseBytesMax;
    if (this.#merger.collects || isShort) this.#response.hold();
  }

  /** The head is the client's, and goes out alone: nothing of the body may ever come. */
  #deliverHead(): void {
    this.isFinal = true;
    this.#exchange.decodeResponded(true, false);
    this.#response.chunks(nothing, 0, 0);
  }

  /** Decode's response continues the events that the client has. False if it has none. */
  goesOn(head: ResponseHead): boolean {
    if (!this.#response.goesOn(head)) return false;
    if (this.#inspects) this.#inspector.start();
    return true;
  }

  get #inspects(): boolean {
    return this.#attempt.transfer?.inspectDecode !== undefined;
  }

  decodeBody(connection: EngineConnection, chunk: Buffer, start: number, end: number): void {
    const exchange = this.#exchange;
    if (this.#inspector.isInspecting) {
      this.#inspect(connection, chunk, start, end);
      return;
    }
    if (this.#awaitsEvent) {
      this.#response.body(connection, chunk, start, end);
      if (this.faults.isOpen) return;
      this.#awaitsEvent = false;
      exchange.decodeResponded(true, false);
      return;
    }
    if (!this.#response.isBuffered && exchange.deliveringLeg === undefined) {
      // Of an error the prefill may know more, or be the reason: then there is another attempt.
      const isError = exchange.isPrefillPending && startsWithError(connection, chunk, start, end);
      exchange.decodeResponded(connection.head.status < 400, false, isError);
      if (exchange.ended) return;
      if (exchange.deliveringLeg === undefined) {
        this.#response.hold();
        this.faults.awaitPrefill();
      }
    }
    this.pass(connection, chunk, start, end);
  }

  /** Bytes for the client, or for the response that is held back from it. */
  pass(connection: EngineConnection, chunk: Buffer, start: number, end: number): void {
    this.#response.body(connection, chunk, start, end);
    if (this.#response.isUnfinished) this.#continue();
    else if (this.#relay.isPaused) return;
    else if (this.#merger.collects && this.#exchange.deliveringLeg === undefined) {
      if (this.#merger.overflows()) this.#exchange.decodeResponded(true, false);
    } else this.#relay.pauseIfBehind(connection);
  }

  /** Decode has failed: its head is all that the client gets if that was final. */
  decodeFailed(): void {
    if (this.isFinal && !this.#response.started) this.#response.chunks(nothing, 0, 0);
  }

  /** The response of this leg is complete. */
  legEnded(leg: "prefill" | "decode"): void {
    this.#relay.release();
    if (leg === "decode") this.#isDecodeWhole = true;
    if (this.#inspector.isInspecting && this.#needsPrefill(true)) return;
    if (this.#exchange.deliveringLeg === leg) this.#endIfWhole(leg === "prefill");
    else {
      const needsPrefill =
        this.#exchange.isPrefillPending &&
        (this.faults.holdsError ||
          this.#merger.awaitsPrefill(this.#attempt.dialectRequest, notYet));
      this.#exchange.decodeResponded(this.#request.context.status < 400, false, needsPrefill);
    }
  }

  /** Decode's response is the client's. @param prefill undefined = there was none */
  deliver(prefill: { whole: Buffer | undefined } | undefined): void {
    this.#prefill = prefill;
    this.#merger.release(this.#attempt.dialectRequest, prefill, this.#isDecodeWhole);
    this.#deliverOn();
  }

  /** The prefill's response has come after decode's has begun. @param response undefined = it never will */
  prefillCame(response: Buffer | undefined): void {
    if (this.#prefill === undefined) return;
    this.#prefill.whole = response ?? nothing;
    this.#response.prefillCame();
    this.#deliverOn();
  }

  #deliverOn(): void {
    this.resume();
    if (this.#response.isUnfinished) this.#continue();
    else this.#endIfWhole(this.#isDecodeWhole);
  }

  #endIfWhole(isWhole: boolean): void {
    if ((isWhole || this.#isDecodeWhole) && !this.#response.awaitsPrefill) this.#end();
  }

  /**
   * Decode has died in the middle of its response. Whether the client does not notice: the response was over, or goes
   * on from another engine.
   */
  survives(): boolean {
    if (!this.#response.isSeenStream) return false;
    if (this.#merger.isComplete) {
      this.#end();
      return true;
    }
    const rest = this.#merger.rest(this.#attempt.dialectRequest!);
    if (rest === undefined) return false;
    this.#attempt.dialectRequest = rest;
    this.#request.context.resumes += 1;
    this.#exchange.decodePreempted(true, true);
    return true;
  }

  #end(): void {
    this.#response.end();
    this.#exchange.responseEnded();
  }

  /** Asks for the rest of a response that its engine has preempted: a request of its own, which goes the whole way. */
  #continue(): void {
    const rest = this.#merger.rest(this.#attempt.dialectRequest!);
    if (rest !== undefined) {
      this.#attempt.dialectRequest = rest;
      this.#request.context.resumes += 1;
    }
    this.#exchange.decodePreempted(this.#response.started, rest !== undefined);
  }

  /** Shows the dialect what has come of decode's response, until it knows whether that is the client's. */
  #inspect(connection: EngineConnection, chunk: Buffer, start: number, end: number): void {
    this.#response.body(connection, chunk, start, end);
    if (!this.#inspector.add(connection, chunk, start, end)) {
      this.#exchange.decodeInvalid();
      return;
    }
    if (this.#needsPrefill(false) || this.#inspector.isInspecting) return;
    if (!this.#merger.collects) this.#exchange.decodeResponded(true, false);
  }

  #needsPrefill(isComplete: boolean): boolean {
    const inspection = this.#inspector.inspect(this.#attempt.transfer!, isComplete);
    if (inspection !== "needs-prefill") return false;
    this.#exchange.decodeNeedsPrefill();
    return true;
  }
}

function startsWithError(
  { head, reader }: EngineConnection,
  chunk: Buffer,
  start: number,
  end: number,
): boolean {
  const isChunked = head.framing === "chunked";
  if (isChunked && reader.dataSpanCount === 0) return false;
  const from = isChunked ? reader.dataSpans[0]! : start;
  return beginsWithError(chunk, from, isChunked ? reader.dataSpans[1]! : end);
}

const notYet: PrefillResponse = { whole: undefined };
const nothing = Buffer.from("{}");
