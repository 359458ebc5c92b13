/** Drives one request: runs the exchange's commands on real legs, and relays the answer to the client. */
import { randomUUID } from "node:crypto";
import { Edits } from "../body/splice.ts";
import { scanTopLevel, type TopLevel } from "../body/top-level.ts";
import type { Handoff, LegContext } from "../dialects/dialect.ts";
import type { NoPlace } from "../fleet/pool.ts";
import { normalizePath } from "../http1/normalize-path.ts";
import { heldAnswerBytesMax, relayPendingBytesMax } from "../limits.ts";
import { Answer } from "./answer.ts";
import type { ClientConnection } from "./client-connection.ts";
import type { RequestContext } from "./context.ts";
import type { EngineConnection } from "./engine-connection.ts";
import { errorPage } from "./error-page.ts";
import {
  Exchange,
  type ExchangeActions,
  type LegFailure,
  type LegName,
  type Order,
} from "./exchange.ts";
import { type InternalRoute, internalRoute } from "./internal-route.ts";
import { Leg, type LegRequest } from "./leg.ts";
import { sendLegMessage } from "./leg-message.ts";
import { errorAnswer, reasonOf, returnedAnswer } from "./local-answer.ts";
import { type Outcome, outcomes, refused } from "./outcomes.ts";
import { PrefillAnswer } from "./prefill-answer.ts";
import { allowsRetry, conditionOf } from "./retry.ts";
import type { ReturnedAnswer } from "./rewrite.ts";
import type { Destination, Route } from "./route.ts";
import type { Routed, Server, VirtualServers } from "./routing.ts";
import type { Service } from "./service.ts";

/** Bytes of an answer that is held back. */
interface Held {
  readonly chunk: Buffer;
  readonly start: number;
  readonly end: number;
}

export class RequestHandler implements ExchangeActions, LegRequest {
  readonly context: RequestContext;
  readonly service: Service;
  readonly #client: ClientConnection;
  readonly #server: Server;
  readonly #answer: Answer;
  #routed: Routed;
  readonly #prefill: Leg;
  readonly #decode: Leg;
  #exchange: Exchange | undefined;
  #members: TopLevel | undefined;
  /** Path and pool of the prefill, found by internal routing once. */
  #prefillRoute: InternalRoute | undefined;
  readonly #prefillAnswer = new PrefillAnswer();
  #handoff: Handoff | undefined;
  /** Decode's answer while another engine can still be tried. */
  #held: Held[] | undefined;
  #paused: EngineConnection | undefined;
  #finished = false;
  /** The error whose page is being served, and the status that the page is given; 0 = its own. */
  #pageOf: Outcome | undefined;
  #pageStatus = 0;
  #bodyBytes = 0;

  constructor(
    client: ClientConnection,
    context: RequestContext,
    service: Service,
    servers: VirtualServers,
    malformed = false,
  ) {
    this.#client = client;
    this.context = context;
    this.service = service;
    this.#prefill = new Leg("prefill", this, context.prefills);
    this.#decode = new Leg("decode", this, context.decodes);
    this.#server = malformed ? servers.initial : servers.find(context);
    context.serverName = this.#server.name;
    this.#routed = malformed ? { route: undefined, outcome: outcomes.noRoute } : this.#route();
    const keep = !malformed && client.mayKeep(this.#server.config.keepAliveRequests);
    this.#answer = new Answer(client, context, service, keep);
  }

  get bodyBytesMax(): number {
    const max = this.#routed.route?.config.bodyBytesMax ?? 1_048_576;
    return max === 0 ? Number.POSITIVE_INFINITY : max;
  }
  get bodyTimeoutMs(): number {
    return this.#routed.route?.config.bodyTimeoutMs ?? 60_000;
  }
  get clientSendTimeoutMs(): number {
    return this.#routed.route?.config.clientSendTimeoutMs ?? 60_000;
  }

  /** The request has arrived in full. */
  begin(body: Buffer): void {
    const { context } = this;
    context.body = body;
    this.#bodyBytes = body.length;
    const { route, answer, outcome } = this.#routed;
    if (outcome !== undefined) this.#end(outcome);
    else if (answer !== undefined) this.#return(answer);
    else this.#forward(route);
  }

  /** The request cannot be read to its end. */
  refuse(outcome: Outcome): void {
    this.#answer.closeAfter();
    this.#end(outcome);
  }

  /** Ends the request from outside: the client is gone or too slow. */
  abort(outcome: Outcome): void {
    if (this.#exchange === undefined) this.#end(outcome);
    else this.#exchange.abort(outcome);
  }

  /** The client has read what waited for it. */
  clientDrained(): void {
    this.#paused?.resume();
    this.#paused = undefined;
  }

  #route(): Routed {
    const path = normalizePath(this.context.head.path);
    if (path === undefined) return { route: undefined, outcome: outcomes.badPath };
    this.context.path = path;
    return this.#server.route(this.context, false);
  }

  #forward(route: Route): void {
    const { context } = this;
    // Given first, so that a refusal of the body has it, too.
    if (route.givesRequestId && context.requestId === "") {
      context.requestId = context.head.fields.get("x-request-id") || randomUUID();
    }
    const prefills = route.prefills && context.head.method === "POST";
    if (prefills) {
      const members = this.service.takeTopLevel();
      this.#members = members;
      const problem = scanTopLevel(context.body, 0, context.body.length, members);
      if (problem !== undefined) {
        this.#end(refused(400, "GP_BAD_JSON", `${problem.detail} (at byte ${problem.offset})`));
        return;
      }
    }
    this.#begin(route, prefills ? route.dialect.order : "decode-only");
  }

  #begin(route: Route, order: Order): void {
    const { tries } = route.config.retry;
    const each = tries === 0 ? Number.POSITIVE_INFINITY : tries;
    this.#exchange = new Exchange(order, { prefill: each, decode: each }, this);
    this.#exchange.begin();
  }

  /** The configuration answers. An error without a text of its own may have a page, as in nginx. */
  #return(answer: ReturnedAnswer): void {
    const { status, text } = answer;
    if (status === closeStatus) this.#end(outcomes.closed);
    else if (text === undefined && status >= 400)
      this.#end(refused(status, "GP_RETURNED", reasonOf(status)));
    else {
      returnedAnswer(this.#answer, this.context, answer);
      this.#end(outcomes.returned);
    }
  }

  // ---- Commands of the exchange ----

  send(name: LegName): NoPlace | undefined {
    const destination = name === "prefill" ? this.#prefillDestination() : this.#decodeDestination();
    if (destination === undefined) return "none-live";
    const { pool, uri } = destination;
    const { context } = this;
    if (name === "prefill") {
      this.#prefillAnswer.clear();
      this.#handoff = undefined;
    } else this.#held = undefined;
    const key = this.service.policyKey(pool, context);
    const pick = {
      bytes: context.body.length,
      clientAddress: context.connection.remoteAddress,
      key,
    };
    const leg = name === "prefill" ? this.#prefill : this.#decode;
    return leg.start(pool, uri, pick);
  }

  cancel(name: LegName): void {
    (name === "prefill" ? this.#prefill : this.#decode).cancel();
  }

  answerFrom(name: LegName): void {
    const held = name === "decode" ? this.#held : undefined;
    this.#held = undefined;
    if (held === undefined) return;
    for (const { chunk, start, end } of held) this.#answer.held(chunk, start, end);
  }

  /** No dialect with a call-back exists yet. */
  answerCallback(): void {}

  finish(outcome: Outcome): void {
    this.#end(outcome);
  }

  // ---- Events of the legs ----

  writeLeg(leg: Leg, connection: EngineConnection): void {
    const route = this.#routed.route!;
    const headers = leg.name === "prefill" ? (this.#prefillRoute?.route ?? route) : route;
    const message = { context: this.context, headers, route, edits: this.#edited(leg) };
    sendLegMessage(leg, connection, message, this.service.scratch);
  }

  legHead(leg: Leg, { head }: EngineConnection): void {
    if (leg === this.#prefill && head.status < 300) return;
    const retry = this.#retryStatus(leg, head.status);
    // Also where another engine may be tried: the exchange may have no try left, and then this is the client's answer.
    this.#answer.fromEngine(head, this.#returnedId(), this.#pageStatus);
    if (leg === this.#prefill) {
      this.#exchange!.prefillRefused(retry);
      return;
    }
    if (retry) {
      this.#exchange!.decodeAnswered(false, true);
      return;
    }
    // A short answer is held until it is complete: until then another engine can still give a better one.
    if (head.framing === "length" && head.contentLength <= heldAnswerBytesMax) this.#held = [];
  }

  legBody(leg: Leg, connection: EngineConnection, chunk: Buffer, start: number, end: number): void {
    const exchange = this.#exchange!;
    if (exchange.answering === leg.name) {
      this.#relay(connection, chunk, start, end);
      return;
    }
    if (leg === this.#prefill) {
      if (this.#prefillAnswer.add(connection, chunk, start, end)) return;
      this.#prefill.cancel();
      exchange.prefillFailed("invalid", false);
    } else if (this.#held !== undefined) {
      this.#held.push({ chunk, start, end });
    } else {
      exchange.decodeAnswered(connection.head.status < 400, false);
      if (exchange.answering === "decode") this.#relay(connection, chunk, start, end);
    }
  }

  legEnded(leg: Leg): void {
    const exchange = this.#exchange!;
    this.#paused = undefined;
    if (leg === this.#prefill && exchange.answering !== "prefill") {
      this.#handoff = this.#routed.route!.dialect.takeHandoff(this.#prefillAnswer.take());
      exchange.prefillDone();
      return;
    }
    if (exchange.answering === undefined) exchange.decodeAnswered(this.context.status < 400, false);
    if (exchange.answering === leg.name) {
      this.#answer.end();
      exchange.answerEnded();
    }
  }

  legFailed(leg: Leg, failure: LegFailure, unsent: boolean): void {
    const mayRetry = this.#mayRetry(leg, failure);
    if (this.#exchange!.answering === leg.name && !this.#answer.started) {
      this.#exchange!.takeBackAnswer();
    }
    if (leg === this.#prefill) this.#exchange!.prefillFailed(failure, mayRetry);
    else {
      if (!unsent) this.#prefill.forgetTries();
      this.#exchange!.decodeFailed(failure, mayRetry, unsent);
    }
  }

  // ---- The rest ----

  #prefillDestination(): Destination | undefined {
    const route = this.#routed.route!;
    if (route.prefillPool !== undefined) {
      const destination = this.#decodeDestination();
      return destination && { pool: route.prefillPool, uri: destination.uri };
    }
    this.#prefillRoute ??= internalRoute(this.#server, this.context, route.prefillLocation);
    return this.#prefillRoute?.destination;
  }

  #decodeDestination(): Destination | undefined {
    return this.#routed.route!.destination(this.context);
  }

  /** The body with the dialect's edits for this leg; undefined = as it came. */
  #edited(leg: Leg): Edits | undefined {
    const members = this.#members;
    if (members === undefined) return undefined;
    const edits = sharedEdits;
    edits.begin(members);
    const { dialect } = this.#routed.route!;
    const legContext = this.#legContext();
    if (leg.name === "prefill") dialect.prefillEdits(members, edits, legContext);
    else dialect.decodeEdits(members, edits, this.#handoff, legContext);
    return edits;
  }

  #legContext(): LegContext {
    const address = (leg: Leg) => {
      const at = leg.engine?.address;
      return { host: at?.host ?? "", port: at?.port ?? 0 };
    };
    return {
      path: this.context.path,
      requestId: this.context.requestId,
      prefill: address(this.#prefill),
      decode: address(this.#decode),
    };
  }

  #returnedId(): string {
    return this.#routed.route!.givesRequestId ? this.context.requestId : "";
  }

  #retryStatus(leg: Leg, status: number): boolean {
    if (status < 400 || !this.#mayRetry(leg, status)) return false;
    leg.refused();
    return true;
  }

  #mayRetry(leg: Leg, failure: LegFailure | number): boolean {
    const { retry } = this.#routed.route!.config;
    const elapsedMs = this.service.clock.nowMs() - this.context.startMs;
    if (this.#answer.started || !allowsRetry(retry, conditionOf(failure), elapsedMs)) return false;
    return leg.mayTryAnother;
  }

  /** Passes bytes on as they come; a client that falls behind stops the reading of its own engine, and nothing else. */
  #relay(connection: EngineConnection, chunk: Buffer, start: number, end: number): void {
    this.#answer.body(connection, chunk, start, end);
    if (this.#paused === undefined && this.#client.pendingBytes > relayPendingBytesMax) {
      this.#paused = connection;
      connection.pause();
    }
  }

  #end(outcome: Outcome): void {
    if (this.#finished || this.#servesPage(outcome)) return;
    this.#finished = true;
    const { context, service } = this;
    context.outcome = this.#pageOf ?? outcome;
    const whole = outcome === outcomes.answered || outcome === outcomes.returned;
    const answered = whole || this.#answersError(outcome);
    context.endMs = service.clock.nowMs();
    if (answered) {
      this.#client.answered(this.#answer.keep);
    } else {
      // nginx's status for a client that went away; nothing is sent with it.
      if (!this.#answer.started) context.status = outcome === outcomes.closed ? closeStatus : 499;
      if (this.#answer.endsWithConnection) this.#client.reset();
      else this.#client.close();
    }
    this.#dropMembers();
    service.bodies.giveBack(this.#bodyBytes);
    for (const log of this.#routed.route?.accessLogs ?? this.#server.accessLogs) log.write(context);
  }

  /** Answers with an error; false when it is too late for one, or nobody is there to read it. */
  #answersError(outcome: Outcome): boolean {
    if (outcome.status === 0 || this.#answer.started) return false;
    errorAnswer(this.#answer, this.context, outcome);
    return true;
  }

  /** Serves the route's page for an error in its place, once per request; false when there is none. */
  #servesPage(outcome: Outcome): boolean {
    if (outcome.status < 300 || this.#pageOf !== undefined || this.#answer.started) return false;
    const page = errorPage(outcome.status, this.#routed.route, this.#server, this.context);
    if (page === undefined) return false;
    this.#pageOf = outcome;
    if (page.answer !== undefined) {
      returnedAnswer(this.#answer, this.context, page.answer);
      this.#end(outcomes.returned);
    } else {
      this.#pageStatus = page.status;
      this.#routed = { route: page.route };
      this.#dropMembers();
      this.#decode.forgetTries();
      this.#begin(page.route, "decode-only");
    }
    return true;
  }

  #dropMembers(): void {
    if (this.#members !== undefined) this.service.giveTopLevel(this.#members);
    this.#members = undefined;
  }
}

/** nginx's status for `return`: close the connection, say nothing. */
const closeStatus = 444;

/** Shared by all requests of the worker: edits are made and written within one call. */
const sharedEdits = new Edits();
