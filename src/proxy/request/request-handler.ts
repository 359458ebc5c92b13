/** One request from its head to its end: forwards it or replies to it, and accounts for it. */
import { mediaItems } from "../../body/prompt/media-items.ts";
import { type Endpoint, isGenerating } from "../../dialects/endpoints/endpoint.ts";
import { endpointOf } from "../../dialects/endpoints/find-endpoint.ts";
import { encodedItemsMax } from "../../limits.ts";
import { type Outcome, outcomes } from "../context/outcomes.ts";
import type { RequestContext } from "../context/request-context.ts";
import { ExchangeDriver } from "../pd/driver/exchange-driver.ts";
import type { ExchangeRequest } from "../pd/driver/exchange-services.ts";
import { EncodeDriver } from "../pd/encode/encode-driver.ts";
import { ClientResponse } from "../response/client-response.ts";
import { FileReply } from "../response/local/file-reply.ts";
import { earlyHead, errorReply, finalReply, returnedReply } from "../response/local/local-reply.ts";
import type { ReturnedReply } from "../routing/rewrite.ts";
import type { Route } from "../routing/route.ts";
import type { RoutedRequest } from "../routing/route-request.ts";
import type { Routed, Server } from "../routing/server.ts";
import type { EngineConnection } from "../upstream/connection/engine-connection.ts";
import { mayAskForUsage } from "../upstream/stream-usage.ts";
import { account } from "./account.ts";
import { BodyLease } from "./body-lease.ts";
import { chooseModel } from "./choose-model.ts";
import { Delay } from "./delay.ts";
import { entered } from "./entry.ts";
import { MainPage } from "./main-page.ts";
import { ModelList } from "./model-list.ts";
import { notReady } from "./not-ready.ts";
import { PacedClient } from "./paced-client.ts";
import { boundsOf, type RequestBounds } from "./request-bounds.ts";
import { giveRequestId } from "./request-id.ts";
import type { RequestClient, RequestServices } from "./request-services.ts";
import { type RequestTimers, requestTimers } from "./request-timers.ts";
import { returnedOutcome, silentStatus } from "./returned-outcome.ts";
import { scanBody } from "./scan-body.ts";
import { serveFile } from "./serve-file.ts";
import { ShownError } from "./shown-error.ts";
import { recordedMeter, takeMeter } from "./take-meter.ts";
import { admitBody, tenantOf } from "./tenant-of.ts";
import { chooseProtocol, Tunnel } from "./upgrade.ts";

export class RequestHandler implements ExchangeRequest {
  readonly context: RequestContext;
  readonly worker: RequestServices;
  readonly server: Server;
  readonly response: ClientResponse;
  readonly body: BodyLease;
  readonly #client: RequestClient;
  readonly #paced: PacedClient | undefined;
  #routed!: Routed;
  bounds!: RequestBounds;
  #encode: EncodeDriver | undefined;
  endpoint: Endpoint | undefined;
  #exchange: ExchangeDriver | undefined;
  /** What the proxy itself responds with, as long as that is being asked for. */
  #reply: ModelList | MainPage | FileReply | Delay | undefined;
  #finished = false;
  readonly shownError = new ShownError();
  #hasArrived = false;
  /** It asks an engine for tokens, as far as is known. */
  #generates = false;
  /** Undefined = the route times nothing. */
  readonly #timers: RequestTimers | undefined;

  constructor(
    client: RequestClient,
    context: RequestContext,
    worker: RequestServices,
    { server, routed }: RoutedRequest,
  ) {
    this.context = context;
    this.worker = worker;
    this.#paced = PacedClient.of(client, routed.route, this);
    this.#client = this.#paced ?? client;
    this.body = new BodyLease(context, worker);
    this.server = server;
    context.route = routed.route?.match.path ?? "";
    const keep = client.mayKeep(server.config);
    this.response = new ClientResponse(this.#client, context, worker, keep, server.config);
    this.#route(routed);
    context.trace = worker.tracer?.start(context);
    context.tenant = tenantOf(context, this.#routed, worker.gate, () => this.#identified());
    this.#timers = requestTimers(worker.deadlines, routed.route?.config, this);
  }

  /** The request has arrived in full. */
  start(body: Buffer): void {
    const { context } = this;
    this.#hasArrived = true;
    context.body = body;
    this.body.bytes = body.length;
    giveRequestId(context, this.#routed.route, this.worker);
    context.meter = recordedMeter(context, this.worker);
    if (!context.tenant?.isPending) this.#begin();
  }

  #begin(): void {
    const { route, response, outcome = this.context.tenant?.refusal } = this.#routed;
    if (outcome !== undefined) this.ended(outcome);
    else if (response !== undefined) this.returns(response);
    else if (this.context.delayMs > 0) this.#reply = new Delay(this, () => this.#begin());
    else this.#content(route!);
  }

  #content(route: Route): void {
    if (route.files !== undefined) this.#reply = serveFile(this, route, route.files) ?? this.#reply;
    else if (route.page === undefined) this.forward(route);
    else this.#reply = new MainPage(this, route.page, route.config.readTimeoutMs);
  }

  reroute(routed: Routed): void {
    this.#route(routed);
    this.#begin();
  }

  /** Its token has been verified. */
  #identified(): void {
    const refusal = this.context.tenant?.refusal;
    if (this.#finished) return;
    if (this.#hasArrived) this.#begin();
    else if (refusal !== undefined) this.#client.refuse(refusal);
  }

  /** The request cannot be read to its end. */
  refuse(outcome: Outcome): void {
    this.response.closeAfter();
    giveRequestId(this.context, this.#routed.route, this.worker);
    this.ended(outcome);
  }

  /** Ends the request from outside: the client is gone or too slow. */
  abort(outcome: Outcome): void {
    this.#paced?.drop();
    this.#encode?.abort();
    this.#reply?.cancel();
    if (this.#exchange === undefined) this.ended(outcome);
    else this.#exchange.abort(outcome);
  }
  timedOut(): void {
    if (this.#hasArrived) this.abort(outcomes.requestTimeout);
    else this.#client.refuse(outcomes.clientTimeout);
  }
  comment(): boolean {
    return this.response.comment(earlyHead(this.context));
  }
  /** The client has read what waited for it. */
  clientDrained(): void {
    if (this.pendingBytes > this.worker.pending.perClientMax) return;
    this.#exchange?.clientDrained();
    if (this.#reply instanceof FileReply) this.#reply.clientDrained();
  }
  upgraded(connection: EngineConnection): void {
    new Tunnel(this.#client.upgradable!, connection);
  }
  get members() {
    return this.context.members;
  }
  get embeddings() {
    return this.#encode?.embeddings;
  }
  get promptBytes(): number {
    return this.#encode?.promptBytes ?? this.context.body.length;
  }
  get status(): number {
    return this.shownError.status;
  }
  get pendingBytes(): number {
    return this.#client.pendingBytes;
  }

  forward(route: Route): void {
    const choice = chooseModel(this.context, route, this.worker);
    if (choice.outcome !== undefined) this.ended(choice.outcome);
    else if (choice.json !== undefined) this.#respond(choice.json);
    else this.#send(choice.route);
  }

  #send(route: Route): void {
    const { context } = this;
    const isPost = context.head.method === "POST";
    const endpoint = route.byEndpoint ? endpointOf(route.enginePath(context)) : undefined;
    const generating = endpoint && isGenerating(endpoint) ? endpoint : undefined;
    this.endpoint = endpoint;
    if (endpoint?.servedBy === "all-engines" && context.head.method === "GET") {
      this.#listModels(route);
      return;
    }
    const prefills = isPost && route.prefills && (!route.byEndpoint || generating !== undefined);
    const encodes = route.encodes && isPost && context.path.endsWith("/chat/completions");
    const stores = isPost && generating?.storage !== undefined;
    const mustBeObject = prefills || encodes || stores || mayAskForUsage(route, context);
    const problem =
      chooseProtocol(context, route, this.#client) ??
      notReady(context, this.server, route, prefills) ??
      scanBody(context, this.worker, route, prefills, mustBeObject);
    if (generating) this.#timers?.comment(this.members);
    this.#generates = isPost && (generating !== undefined || !route.byEndpoint);
    context.meter ??= takeMeter(context, route, this.worker, this.#generates);
    const refusal = problem ?? admitBody(this, route, this.#generates);
    if (refusal !== undefined) this.ended(refusal);
    else if (encodes) this.#encodeFirst(route, prefills);
    else this.#forward(route, prefills);
  }

  /** A request without images and the like goes on at once. */
  #encodeFirst(route: Route, prefills: boolean): void {
    const items = mediaItems(this.members!, encodedItemsMax);
    if (items === undefined) this.ended(outcomes.tooManyItems);
    else {
      this.#encode = new EncodeDriver(this, route, items, () => this.#forward(route, prefills));
      this.#encode.start();
    }
  }

  #listModels(route: Route): void {
    const list = new ModelList(this, route, (json) => {
      this.#reply = undefined;
      // Then one engine says what is wrong with the request, or with itself.
      if (json === undefined) this.#forward(route, false);
      else this.#respond(json);
    });
    if (!list.isNeeded) this.#forward(route, false);
    else {
      this.#reply = list;
      list.start();
    }
  }

  /** The proxy knows the response by itself. */
  #respond(json: Buffer): void {
    finalReply(this.response, this.context, { contentType: "application/json", body: json });
    this.ended(outcomes.answered);
  }

  #forward(route: Route, prefills: boolean): void {
    this.#exchange = new ExchangeDriver(this, route, prefills);
    this.#exchange.start();
  }

  returns(reply: ReturnedReply): void {
    const outcome = returnedOutcome(reply);
    if (outcome === outcomes.closed) this.ended(outcome);
    else if (!this.#servesPage(outcome, reply.location)) {
      const type = this.#routed.route?.contentTypeOf(this.context.path);
      returnedReply(this.response, this.context, reply, type);
      this.ended(outcomes.returned);
    }
  }

  ended(outcome: Outcome): void {
    if (this.#finished || this.#servesPage(outcome)) return;
    this.#finished = true;
    this.#timers?.end();
    const { context, worker } = this;
    context.outcome = this.shownError.outcome ?? outcome;
    const whole = outcome === outcomes.answered || outcome === outcomes.returned;
    const answered = whole || errorReply(this.response, context, outcome);
    context.endMs = worker.clock.nowMs();
    if (answered) {
      this.#client.responded(this.response.keep);
    } else {
      if (!this.response.started) context.status = silentStatus(outcome, this.#hasArrived);
      if (this.response.endsWithConnection) this.#client.reset();
      else this.#client.close();
    }
    const logs = this.#routed.route?.accessLogs ?? this.server.accessLogs;
    account(context, worker, logs, this.body, this.#generates);
  }

  /** Serves the route's page for an error, or for a redirect to `location`, in its place; false = there is none. */
  #servesPage(outcome: Outcome, location?: string): boolean {
    if (outcome.status < 300 || this.response.hasHead) return false;
    const { route } = this.#routed;
    const page = this.shownError.pageFor(outcome, route, this.server, this.context);
    if (page === undefined) return false;
    if (page.response !== undefined) {
      const response = location === undefined ? page.response : { location, ...page.response };
      this.#route({ route: page.route, response });
      this.returns(response);
    } else {
      this.#route({ route: page.route });
      this.endpoint = undefined;
      this.body.dropMembers();
      if (this.context.refusal !== undefined) this.ended(this.context.refusal);
      else if (page.route.forwards) this.#forward(page.route, false);
      else this.#content(page.route);
    }
    return true;
  }

  /** Whose settings hold from here on. */
  #route(routed: Routed): void {
    this.#routed = entered(this.context, routed, this.server);
    this.bounds = boundsOf(routed);
    this.response.rules = (routed.route ?? this.server.unmatched)?.responses;
  }
}
