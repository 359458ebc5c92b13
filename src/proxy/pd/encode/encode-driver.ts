/**
 * The encode of one request: runs the fan-out's commands on real legs, one for each item, and hands it what happens to
 * them.
 */
import type { Span } from "../../../body/json/member-value.ts";
import { Embeddings, encodeBody } from "../../../dialects/vllm/encoder.ts";
import { usualBytesPerToken } from "../../../estimates/token-ratio.ts";
import { bufferedResponseBytesMax, encodedItemBytes } from "../../../limits.ts";
import type { PickRequest } from "../../../policies/shared/policy.ts";
import type { PickFailure } from "../../../pool/pool.ts";
import type { LegFailure } from "../../context/legs.ts";
import { type Outcome, outcomes } from "../../context/outcomes.ts";
import { CollectedBody } from "../../response/body/collected-body.ts";
import { type InternalRoute, internalRoute } from "../../routing/internal-route.ts";
import type { Route } from "../../routing/route.ts";
import type { EngineConnection } from "../../upstream/connection/engine-connection.ts";
import type { ForwardedRequest } from "../../upstream/forwarded-request.ts";
import { Leg, type LegRequest } from "../../upstream/leg.ts";
import { sendLegMessage } from "../../upstream/leg-message.ts";
import { LegRetries } from "../../upstream/leg-retries.ts";
import type { LegServices } from "../../upstream/leg-services.ts";
import { rankLine } from "../legs/leg-engines.ts";
import { EncodeFanOut, type FanOutActions } from "./encode-fan-out.ts";

export class EncodeDriver implements FanOutActions {
  readonly embeddings = new Embeddings();
  readonly #retries: LegRetries;
  readonly #request: ForwardedRequest;
  readonly #route: Route;
  readonly #items: readonly Span[];
  readonly #goOn: () => void;
  readonly #legs: ItemLeg[] = [];
  readonly #fanOut: EncodeFanOut;
  /** Path and pool, found once. */
  #place: InternalRoute | undefined;
  /** What the ids of all its requests begin with. */
  #id = "";

  /** @param goOn called once, when all items are encoded */
  constructor(request: ForwardedRequest, route: Route, items: readonly Span[], goOn: () => void) {
    this.#request = request;
    this.#route = route;
    this.#items = items;
    this.#goOn = goOn;
    this.#retries = new LegRetries(request, route, { isOpen: true }, true);
    const { tries } = route.config.retry;
    const triesMax = tries === 0 ? Number.POSITIVE_INFINITY : tries;
    this.#fanOut = new EncodeFanOut(items.length, triesMax, this);
  }

  start(): void {
    this.#fanOut.start();
  }

  /** An image takes as many tokens whatever the length of its name or its bytes. */
  get promptBytes(): number {
    let bytes = this.#request.context.body.length;
    for (const { start, end } of this.#items) bytes += encodedItemBytes - (end - start);
    return bytes;
  }

  /** Ends all of it from outside. */
  abort(): void {
    this.#fanOut.abort();
    this.#retries.end();
  }

  // ---- Commands of the fan-out ----

  send(item: number): PickFailure | undefined {
    this.#place ??= this.#findPlace();
    if (this.#place === undefined) return "no-healthy-engine";
    const { pool, uri } = this.#place.destination;
    this.#legs[item] ??= new ItemLeg(this, item);
    const { leg } = this.#legs[item];
    const refusal = leg.reserve(pool, uri, this.#pick(item));
    if (refusal === undefined) leg.start();
    return refusal;
  }

  countRetry(item: number): void {
    this.#retries.retry(this.#legs[item]!.leg);
  }

  cancel(item: number): void {
    this.#legs[item]?.leg.cancel();
  }

  deliverFrom(item: number): void {
    this.#legs[item]!.isClients = true;
  }

  encoded(): void {
    this.#retries.end();
    this.#goOn();
  }

  finish(outcome: Outcome): void {
    this.#retries.end();
    this.#request.ended(outcome);
  }

  // ---- Events of the items' legs ----

  get services(): LegServices {
    return this.#request.worker;
  }

  get context() {
    return this.#request.context;
  }

  write(item: number, leg: Leg, connection: EngineConnection): void {
    this.#retries.sent();
    const { context, members, worker } = this.#request;
    const given = context.requestId || context.head.fields.get("x-request-id");
    this.#id ||= given || worker.ids.uuid();
    const message = {
      context,
      headers: this.#place!.route,
      timeouts: this.#route.config,
      edits: encodeBody(members!, this.#items[item]!, context.engineModel?.json),
      isRead: true,
      // As vLLM's own proxy names them: encoders see several of one request, and of one that is sent once more.
      requestId: `${this.#id}:${item}:${worker.ids.secret().slice(0, 6)}`,
      isTransferId: true,
      lines: rankLine(leg),
    };
    sendLegMessage(leg, connection, message, worker.scratch);
  }

  /** False if an encoder cannot have sent this response. */
  take(item: number, response: Buffer): boolean {
    if (!this.embeddings.add(item, response)) return false;
    this.#fanOut.encoded();
    return true;
  }

  responded(item: number, leg: Leg, { head }: EngineConnection): void {
    const mayRetry = this.#retries.responded(leg, head, this.#fanOut.hasTry(item));
    if (head.status < 300) return;
    // Also where another encoder may be tried: there may be no try left, and then this is the client's response.
    const { response, context, status } = this.#request;
    const id = this.#route.givesRequestId ? context.requestId : "";
    response.fromEngine(head, this.#route.responses, id, status);
    response.hold();
    this.#fanOut.refused(item, mayRetry);
  }

  /** Counts bytes of a response; false if there is no memory for them, which ends the request. */
  hold(bytes: number): boolean {
    if (this.#request.body.hold(bytes)) return true;
    this.abort();
    this.#request.ended(outcomes.bodiesFull);
    return false;
  }

  /**
   * Bytes of the refusal that is the client's response, held back until it is whole. False if it is too large for that.
   */
  relay(connection: EngineConnection, chunk: Buffer, start: number, end: number): boolean {
    const { response } = this.#request;
    response.body(connection, chunk, start, end);
    return response.bufferedBytes <= bufferedResponseBytesMax;
  }

  relayed(): void {
    const { response } = this.#request;
    response.release(undefined, true);
    response.end();
    this.#fanOut.responseEnded();
  }

  failed(item: number, leg: Leg, failure: LegFailure, isUnsent: boolean): void {
    const mayRetry = this.#retries.failed(leg, failure, isUnsent, this.#fanOut.hasTry(item));
    this.#fanOut.failed(item, failure, mayRetry);
  }

  /** An encoder's response is none that an encoder can send. */
  invalid(item: number): void {
    this.#fanOut.failed(item, "invalid", false);
  }

  // ---- The rest ----

  #findPlace(): InternalRoute | undefined {
    const route = this.#route;
    const { context, server } = this.#request;
    const { encodePool: pool, encodeLocation } = route;
    if (pool === undefined) return internalRoute(server, context, encodeLocation);
    const destination = route.destination(context);
    return destination && { route, destination: { pool, uri: destination.uri } };
  }

  #pick(item: number): PickRequest {
    const { start, end } = this.#items[item]!;
    const { context, worker } = this.#request;
    return {
      bytes: end - start,
      tokens: (end - start) / usualBytesPerToken,
      blocks: noBlocks,
      clientAddress: context.connection.remoteAddress,
      key: worker.poolKeys.policy(this.#place!.destination.pool, context),
      clock: worker.clock,
    };
  }
}

/** One item's leg, with what has come of its encoder's response. */
class ItemLeg implements LegRequest {
  readonly leg: Leg;
  /** The encoder's response is a refusal, and the client's response. */
  isClients = false;
  readonly #encode: EncodeDriver;
  readonly #item: number;
  readonly #response = new CollectedBody();

  constructor(encode: EncodeDriver, item: number) {
    this.#encode = encode;
    this.#item = item;
    this.leg = new Leg("encode", this, encode.context);
  }

  get services(): LegServices {
    return this.#encode.services;
  }

  /** To encode twice changes nothing. */
  readonly mayBeResent = true;

  writeLeg(leg: Leg, connection: EngineConnection): void {
    this.#response.clear();
    this.#encode.write(this.#item, leg, connection);
  }

  legHead(leg: Leg, connection: EngineConnection): void {
    this.#encode.responded(this.#item, leg, connection);
  }

  legBody(leg: Leg, connection: EngineConnection, chunk: Buffer, start: number, end: number): void {
    if (!this.#encode.hold(end - start)) return;
    const isTaken = this.isClients
      ? this.#encode.relay(connection, chunk, start, end)
      : this.#response.add(connection, chunk, start, end);
    if (isTaken) return;
    leg.cancel();
    this.#encode.invalid(this.#item);
  }

  legEnded(): void {
    if (this.isClients) this.#encode.relayed();
    else if (!this.#encode.take(this.#item, this.#response.bytes)) this.#encode.invalid(this.#item);
    this.#response.clear();
  }

  legFailed(leg: Leg, failure: LegFailure, unsent: boolean): void {
    this.#encode.failed(this.#item, leg, failure, unsent);
  }
}

const noBlocks: readonly number[] = [];
