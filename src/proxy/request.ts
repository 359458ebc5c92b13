/** Drives one request: runs the exchange's commands on real legs, and relays the answer to the client. */
import { randomUUID } from "node:crypto";
import { Edits } from "../body/splice.ts";
import { scanTopLevel, type TopLevel } from "../body/top-level.ts";
import type { RetryCondition } from "../config/schema.ts";
import type { Handoff, LegContext } from "../dialects/dialect.ts";
import type { NoPlace } from "../fleet/pool.ts";
import { normalizePath } from "../http1/normalize-path.ts";
import {
  heldAnswerBytesMax,
  joinBytesMax,
  prefillAnswerBytesMax,
  relayPendingBytesMax,
} from "../limits.ts";
import { Answer } from "./answer.ts";
import type { ClientConnection } from "./client-connection.ts";
import type { RequestContext } from "./context.ts";
import type { EngineConnection } from "./engine-connection.ts";
import { Exchange, type ExchangeActions, type LegFailure, type LegName } from "./exchange.ts";
import { Leg, type LegRequest } from "./leg.ts";
import { localAnswer, returnedAnswer } from "./local-answer.ts";
import { type Outcome, outcomes, refused } from "./outcomes.ts";
import type { Destination, Route } from "./route.ts";
import type { Routed, Server, VirtualServers } from "./routing.ts";
import type { Service } from "./service.ts";

export class RequestHandler implements ExchangeActions, LegRequest {
  readonly context: RequestContext;
  readonly service: Service;
  readonly #client: ClientConnection;
  readonly #server: Server;
  readonly #answer: Answer;
  readonly #routed: Routed;
  readonly #prefill: Leg;
  readonly #decode: Leg;
  #exchange: Exchange | undefined;
  #members: TopLevel | undefined;
  /** Path and pool of the prefill, found by internal routing once. */
  #prefillRoute: { readonly route: Route; readonly destination: Destination } | undefined;
  #prefillParts: Buffer[] = [];
  #prefillBytes = 0;
  #handoff: Handoff | undefined;
  /** Decode's answer while another engine can still be tried. */
  #held: Buffer[] | undefined;
  #paused: EngineConnection | undefined;
  #finished = false;

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
    const { route, answer, outcome } = this.#routed;
    if (outcome !== undefined) this.#end(outcome);
    else if (answer !== undefined) {
      returnedAnswer(this.#answer, context, answer);
      this.#end(outcomes.returned);
    } else this.#forward(route);
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
    if (route.givesRequestId && context.requestId === "") {
      context.requestId = context.head.fields.get("x-request-id") ?? randomUUID();
    }
    const { tries } = route.config.retry;
    const each = tries === 0 ? Number.POSITIVE_INFINITY : tries;
    const order = prefills ? route.dialect.order : "decode-only";
    this.#exchange = new Exchange(order, { prefill: each, decode: each }, this);
    this.#exchange.begin();
  }

  // ---- Commands of the exchange ----

  send(name: LegName): NoPlace | undefined {
    const destination = name === "prefill" ? this.#prefillDestination() : this.#decodeDestination();
    if (destination === undefined) return "none-live";
    const { pool, uri } = destination;
    const { context } = this;
    if (name === "prefill") {
      this.#prefillParts = [];
      this.#prefillBytes = 0;
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
    for (const part of held) this.#answer.held(part);
  }

  /** No dialect with a call-back exists yet. */
  answerCallback(): void {}

  finish(outcome: Outcome): void {
    this.#end(outcome);
  }

  // ---- Events of the legs ----

  writeLeg(leg: Leg, connection: EngineConnection): void {
    const isPrefill = leg.name === "prefill";
    const route = isPrefill
      ? (this.#prefillRoute?.route ?? this.#routed.route!)
      : this.#routed.route!;
    const { config } = this.#routed.route!;
    const { context, service } = this;
    const edits = this.#edited(leg);
    const bodyBytes = edits?.byteLength ?? context.body.length;
    const requestId =
      context.head.fields.get("x-request-id") === undefined ? context.requestId : "";
    const { address } = leg.engine!;
    const head = route.heads.render(
      context,
      leg.name,
      leg.uri,
      address.host === undefined ? "localhost" : address.key,
      requestId,
      bodyBytes,
    );
    const joined = bodyBytes <= joinBytesMax;
    const out = service.scratch.take(head.length + (joined ? bodyBytes : 0));
    out.write(head, 0, head.length, "latin1");
    if (joined && edits !== undefined) edits.writeTo(out, head.length);
    else if (joined) context.body.copy(out, head.length);
    leg.sent(head.length + bodyBytes);
    connection.send(out, context.head.method, leg, config.connectTimeoutMs, config.readTimeoutMs);
    if (connection.pendingBytes > 0) service.scratch.lost();
    if (joined) return;
    // A large body goes out as slices of what arrived: a copy of it would cost more than the further writes.
    if (edits === undefined) connection.sendMore(context.body);
    else for (const slice of edits.slices()) connection.sendMore(slice);
  }

  legHead(leg: Leg, { head }: EngineConnection): void {
    if (leg === this.#prefill && head.status < 300) return;
    if (leg === this.#prefill) {
      const retry = this.#retryStatus(leg, head.status);
      if (!retry) this.#answer.fromEngine(head, this.#returnedId());
      this.#exchange!.prefillRefused(retry);
      return;
    }
    if (this.#retryStatus(leg, head.status)) {
      this.#exchange!.decodeAnswered(false, true);
      return;
    }
    this.#answer.fromEngine(head, this.#returnedId());
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
      this.#collectPrefill(connection, chunk, start, end);
    } else if (this.#held !== undefined) {
      this.#held.push(chunk.subarray(start, end));
    } else {
      exchange.decodeAnswered(connection.head.status < 400, false);
      if (exchange.answering === "decode") this.#relay(connection, chunk, start, end);
    }
  }

  legEnded(leg: Leg): void {
    const exchange = this.#exchange!;
    this.#paused = undefined;
    if (leg === this.#prefill && exchange.answering !== "prefill") {
      const { route } = this.#routed;
      const [only] = this.#prefillParts;
      const answer = this.#prefillParts.length === 1 ? only! : Buffer.concat(this.#prefillParts);
      this.#prefillParts = [];
      this.#handoff = route!.dialect.takeHandoff(answer);
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
    const mayRetry = this.#mayRetry(leg, failureConditions[failure]);
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
    const { context } = this;
    const route = this.#routed.route!;
    if (this.#prefillRoute !== undefined) return this.#prefillRoute.destination;
    if (route.prefillPool !== undefined) {
      const destination = this.#decodeDestination();
      return destination && { pool: route.prefillPool, uri: destination.uri };
    }
    // An internal request under the prefix, as nginx's subrequest: routed like any other, on its own path and captures.
    const { path, args, captures, rewritten } = context;
    context.path = route.prefillLocation + path;
    context.rewritten = true;
    const routed = this.#server.route(context, true);
    const destination =
      routed.answer === undefined && routed.outcome === undefined
        ? routed.route.destination(context)
        : undefined;
    Object.assign(context, { path, args, captures, rewritten });
    if (destination === undefined || routed.route === undefined) return undefined;
    this.#prefillRoute = { route: routed.route, destination };
    return destination;
  }

  #decodeDestination(): Destination | undefined {
    const destination = this.#routed.route!.destination(this.context);
    this.context.proxyHost = destination?.pool.name ?? "";
    return destination;
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
    const condition = `http_${status}` as RetryCondition;
    if (status < 400 || !this.#mayRetry(leg, condition)) return false;
    leg.refused();
    return true;
  }

  #mayRetry(leg: Leg, condition: RetryCondition): boolean {
    const { retry } = this.#routed.route!.config;
    if (this.#answer.started || retry.on.includes("off") || !retry.on.includes(condition))
      return false;
    if (retry.timeoutMs > 0 && this.service.clock.nowMs() - this.context.startMs > retry.timeoutMs)
      return false;
    return leg.mayTryAnother;
  }

  #collectPrefill(connection: EngineConnection, chunk: Buffer, start: number, end: number): void {
    this.#prefillBytes += end - start;
    if (this.#prefillBytes > prefillAnswerBytesMax) {
      this.#prefill.cancel();
      this.#exchange!.prefillFailed("invalid", false);
      return;
    }
    if (connection.head.framing !== "chunked") {
      this.#prefillParts.push(chunk.subarray(start, end));
      return;
    }
    const { dataSpans, dataSpanCount } = connection.reader;
    for (let i = 0; i < dataSpanCount; i += 1) {
      this.#prefillParts.push(chunk.subarray(dataSpans[2 * i], dataSpans[2 * i + 1]));
    }
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
    if (this.#finished) return;
    this.#finished = true;
    const { context, service } = this;
    context.outcome = outcome;
    const whole = outcome === outcomes.answered || outcome === outcomes.returned;
    if (whole || this.#answerLocally(outcome)) {
      context.endMs = this.service.clock.nowMs();
      this.#client.answered(this.#answer.keep);
    } else {
      context.endMs = this.service.clock.nowMs();
      // nginx's status for a client that went away; nothing is sent with it.
      if (!this.#answer.started) context.status = 499;
      if (this.#answer.endsWithConnection) this.#client.reset();
      else this.#client.close();
    }
    if (this.#members !== undefined) service.giveTopLevel(this.#members);
    this.#members = undefined;
    service.bodies.giveBack(context.body.length);
    for (const log of this.#routed.route?.accessLogs ?? this.#server.accessLogs) log.write(context);
  }

  /** Answers with an error; false when it is too late for one, or nobody is there to read it. */
  #answerLocally(outcome: Outcome): boolean {
    if (outcome.status === 0 || this.#answer.started) return false;
    localAnswer(this.#answer, this.context, outcome, this.#routed.route, this.#server);
    return true;
  }
}

/** Shared by all requests of the worker: edits are made and written within one call. */
const sharedEdits = new Edits();

const failureConditions: Readonly<Record<LegFailure, RetryCondition>> = {
  error: "error",
  timeout: "timeout",
  invalid: "invalid_header",
};
