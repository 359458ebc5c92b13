/**
 * What is wrong with decode's 2xx while another engine can still give a better response: junk at its beginning or as a
 * whole, an error that it says, a stream that ends before its time.
 */
import { KeyName } from "../../../body/json/key-name.ts";
import type { TopLevel } from "../../../body/json/top-level.ts";
import { isGenerating } from "../../../dialects/endpoints/endpoint.ts";
import { isSet, isTrue } from "../../../dialects/shared/member-facts.ts";
import type { ResponseHead } from "../../../http1/head/response-head.ts";
import { decodeErrorGraceMs, firstEventBytesMax } from "../../../limits.ts";
import type { Expirable } from "../../../transport/deadlines.ts";
import { type BodyEnd, bodyEndOf } from "../../response/body/body-end.ts";
import { type ResponseCheck, responseCheckOf } from "../../response/response-check.ts";
import type { EngineConnection } from "../../upstream/connection/engine-connection.ts";
import type { ResponseFault } from "../../upstream/connection/engine-failure.ts";
import type { Leg } from "../../upstream/leg.ts";
import type { LegRetries } from "../../upstream/leg-retries.ts";
import type { Exchange } from "../exchange/exchange.ts";
import type { ExchangeRequest } from "./exchange-services.ts";

const stream = new KeyName("stream");
/** Where only errors matter. */
const anyResponse = { isStream: undefined, choices: undefined } as const;

export class DecodeFaults implements Expirable {
  deadlineMs = Number.POSITIVE_INFINITY;
  deadlineIndex = -1;
  readonly #request: ExchangeRequest;
  readonly #exchange: Exchange;
  readonly #retries: LegRetries;
  /** Undefined = there is nothing to find out of the response, or nothing any more. */
  #check: ResponseCheck | undefined;
  /** Another engine can still give a better response than one that the check finds wrong. */
  #isReplaceable = false;
  /** It is an error, or no response: decode has generated nothing. */
  #isJunk = false;
  /** What decode has said, while its prefill may still know more, or be the reason. */
  #heldError: ResponseFault | undefined;
  /** Whose response it is. */
  #leg: Leg | undefined;
  /** Of a response that only its connection's end would end. */
  #bodyEnd: BodyEnd | undefined;

  constructor(request: ExchangeRequest, exchange: Exchange, retries: LegRetries) {
    this.#request = request;
    this.#exchange = exchange;
    this.#retries = retries;
  }

  /** Decode is sent: nothing of a response before counts. */
  reset(): void {
    this.#check = undefined;
    this.#isReplaceable = false;
    this.#isJunk = false;
    this.#heldError = undefined;
    this.end();
  }

  /** The request is over, or its attempt. */
  end(): void {
    this.#request.worker.deadlines.remove(this);
  }

  /** Decode's error is all that is to be sent, and its prefill has not responded yet. */
  awaitPrefill(): void {
    const { deadlines } = this.#request.worker;
    this.deadlineMs = deadlines.dueIn(decodeErrorGraceMs);
    deadlines.add(this);
  }

  /** A prefill that were the reason would have failed by now: it may be decode that it waits for. */
  expired(): void {
    this.end();
    if (!this.replacesError(this.#leg!)) this.#exchange.deliverWaiting();
  }

  /** Whether anything may still be found out of the bytes of the response. */
  get isWatching(): boolean {
    return this.#check !== undefined || this.#bodyEnd !== undefined;
  }

  /** It cannot be told yet whether it is a response, and it is held back as long. */
  get isOpen(): boolean {
    return this.#check !== undefined && this.#isReplaceable;
  }

  /** What has come shows whether decode generates: undefined = not yet. */
  get generates(): boolean | undefined {
    return this.#check === undefined ? !this.#isJunk : undefined;
  }

  /** The response is an error, and waits for the prefill. */
  get holdsError(): boolean {
    return this.#heldError !== undefined;
  }

  /**
   * Decode's response begins. An engine that dies closes its connection as one does that is done: where nothing else
   * frames the response, its API or JSON has an end that has to come. Where no other engine would be tried, junk goes
   * to the client as it comes, and nothing is held back.
   * @param owesKv a prefill engine may hold the KV cache until decode generates
   */
  watch(leg: Leg, head: ResponseHead, owesKv: boolean): void {
    const { status, framing, fields } = head;
    this.#leg = leg;
    const { endpoint, context, members } = this.#request;
    // A browser that asks first whether it may (OPTIONS) generates nothing.
    const isPost = context.method === "POST";
    const generates = isPost && endpoint !== undefined && isGenerating(endpoint);
    this.#isReplaceable =
      generates &&
      !(this.#exchange.resumes || this.#retries.endWithHead) &&
      this.#retries.mayFollow(leg, "invalid");
    if (generates && this.#isReplaceable) {
      const isStream = members && streamAskedFor(members);
      this.#check = responseCheckOf(head, { isStream, choices: endpoint.choices });
    } else if (owesKv) this.#check = responseCheckOf(head, anyResponse, firstEventBytesMax);
    const isWatched = generates && status < 300 && framing === "close";
    this.#bodyEnd = isWatched ? bodyEndOf(fields) : undefined;
  }

  /** @returns why another engine is to be tried; undefined = it is not, so far */
  saw(
    leg: Leg,
    connection: EngineConnection,
    chunk: Buffer,
    start: number,
    end: number,
  ): ResponseFault | undefined {
    this.#bodyEnd?.add(chunk, start, end);
    const check = this.#check;
    if (check === undefined) return undefined;
    const verdict = check.see(connection, chunk, start, end);
    if (verdict === "open") return undefined;
    this.#check = undefined;
    this.#isJunk = verdict !== "good" || check.isClientsError;
    return verdict === "good" ? undefined : this.#replaced(leg, verdict);
  }

  /** What is wrong with the response, which has come to its end; undefined = nothing that could be mended. */
  atEnd(leg: Leg): ResponseFault | undefined {
    if (this.#bodyEnd?.hasCome === false) return cutShort;
    const verdict = this.#check?.atEnd() ?? "good";
    if (this.#check !== undefined) this.#isJunk = verdict !== "good";
    this.#check = undefined;
    return verdict === "good" ? undefined : this.#replaced(leg, verdict);
  }

  /** The fault, if another engine may be tried for a better response. Otherwise the client gets this one as it is. */
  #replaced(leg: Leg, fault: ResponseFault): ResponseFault | undefined {
    const exchange = this.#exchange;
    if (!this.#isReplaceable) return undefined;
    const mayRetry = exchange.mayFail("decode") && this.#retries.mayFollow(leg, "invalid");
    if (!mayRetry) return undefined;
    if (fault.isError !== true || !exchange.isPrefillPending) return fault;
    this.#heldError = fault;
    leg.refused();
    this.awaitPrefill();
    return undefined;
  }

  /**
   * The prefill has succeeded, or is not waited for any longer. Whether decode is tried elsewhere, because it had an
   * error to say before.
   */
  replacesError(leg: Leg): boolean {
    const error = this.#heldError;
    if (error === undefined || !this.#exchange.mayFail("decode")) return false;
    if (leg.connection !== undefined) leg.fail(error);
    else {
      const mayRetry = this.#retries.failed(leg, error.kind, false, true);
      this.#exchange.decodeFailed(error.kind, mayRetry, false);
    }
    return true;
  }
}

const cutShort: ResponseFault = { kind: "error", cause: "the response broke off before its end" };

/**
 * Undefined = the request does not show it. Engines take 1 and "true" for true as well: what they make of such values
 * shows only in their responses.
 */
function streamAskedFor(members: TopLevel): boolean | undefined {
  return isTrue(members, stream) || (isSet(members, stream) ? undefined : false);
}
