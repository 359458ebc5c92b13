/** One client connection: reads requests one after the other and writes their responses in order. */
import type { ServerConfig } from "../../config/schema/schema.ts";
import {
  lingerBytesMax,
  lingerTimeoutMs,
  pipelinedBytesMax,
  relayPendingBytesMax,
} from "../../limits.ts";
import type { Socket, SocketHandler } from "../../transport/socket.ts";
import { type Outcome, outcomes } from "../context/outcomes.ts";
import { type ConnectionFacts, connectionFacts } from "../context/request-context.ts";
import { bodyRefusal } from "../request/request-bounds.ts";
import type { RequestHandler } from "../request/request-handler.ts";
import type { RequestClient } from "../request/request-services.ts";
import type { VirtualServers } from "../routing/virtual-servers.ts";
import { BodyReader } from "./body-reader.ts";
import type { ClientServices } from "./client-services.ts";
import { ConnectionDeadline } from "./connection-deadline.ts";
import { HeadReader, headIncomplete, headInvalid } from "./head-reader.ts";
import { newContext, newRequest, unreadRequest } from "./new-request.ts";
import { PendingShare } from "./pending-budget.ts";
import { UpgradedSocket } from "./upgraded-socket.ts";

/**
 * `busy`: a request is complete and its response under way. `full`: too much waits for the client to start another
 * request. `linger`: our side has ended, and what still comes is dropped.
 */
type State = "head" | "body" | "busy" | "full" | "linger" | "closed";

export class ClientConnection implements SocketHandler, RequestClient {
  readonly #facts: ConnectionFacts;
  readonly #socket: Socket;
  readonly #worker: ClientServices;
  readonly #servers: () => VirtualServers;
  readonly #heads = new HeadReader();
  readonly #body: BodyReader;
  readonly #pending: PendingShare;
  readonly #deadline: ConnectionDeadline;
  #state: State = "head";
  #isPipelined = false;
  #request: RequestHandler | undefined;
  readonly upgradable: UpgradedSocket;
  readonly copies: boolean;
  #lingeredBytes = 0;
  #sendTimeoutMs = lingerTimeoutMs;

  /** @param facts of the connection that the socket is a part of; undefined = it is one of its own */
  constructor(
    socket: Socket,
    worker: ClientServices,
    servers: () => VirtualServers,
    facts?: ConnectionFacts,
  ) {
    this.#socket = socket;
    this.#worker = worker;
    this.#servers = servers;
    this.#body = new BodyReader(worker.bodies);
    this.#pending = new PendingShare(worker.pending, () => this.#stall());
    this.copies = socket.copies ?? false;
    this.#facts = facts ?? connectionFacts(socket, worker.nextSerial(), worker.clock.nowMs());
    this.#deadline = new ConnectionDeadline(socket, worker.deadlines, () => this.#expired());
    this.upgradable = new UpgradedSocket(socket, this.#heads);
    socket.handler = this;
    this.#deadline.set(servers().initial.config.headerTimeoutMs);
  }

  onConnect(): void {}

  onData(chunk: Buffer): void {
    switch (this.#state) {
      case "head":
        this.#heads.add(chunk);
        this.#readHead();
        break;
      case "body":
        this.#readBody(chunk, 0);
        break;
      case "busy":
      case "full":
        if (this.upgradable.passes(chunk)) return;
        this.#heads.add(chunk);
        if (this.#heads.waitingBytes > pipelinedBytesMax) this.#socket.pause();
        break;
      case "linger":
        this.#lingeredBytes += chunk.length;
        if (this.#lingeredBytes > lingerBytesMax) this.close();
        break;
    }
  }

  onDrain(): void {
    this.#pending.set(0);
    if (this.#deadline.isForReading) this.#stopWatching();
    if (this.#state === "busy") this.#request?.clientDrained();
  }

  /**
   * FIN: as in nginx, a client that ends its side while it waits for a response has gone away. One that only has the
   * end of its response to read may still do so.
   */
  onEnd(): void {
    if (this.upgradable.ends()) return;
    if (this.#request !== undefined || this.#socket.pendingBytes === 0) this.#depart();
    else if (this.#state !== "linger") this.#linger();
  }

  onClose(): void {
    this.#depart();
  }

  get pendingBytes(): number {
    return this.#socket.pendingBytes;
  }
  write(bytes: Buffer, start: number, end: number): void {
    if (this.#state === "closed") return;
    this.#socket.write(bytes, start, end);
    this.#deadline.wrote(end - start, this.#sendTimeoutMs);
    this.#pending.set(this.#socket.pendingBytes);
  }

  mayKeep({ keepAliveRequests }: ServerConfig): boolean {
    const { draining } = this.#worker;
    return this.#heads.head.keepAlive && !draining && this.#facts.requests < keepAliveRequests;
  }

  /** Refuses a request that was not read to its end; what the client still sends is dropped for a while. */
  refuse(outcome: Outcome): void {
    this.#state = "busy";
    this.#body.drop();
    this.#deadline.clear();
    this.#request ??= this.#unreadRequest();
    this.#heads.drop();
    this.#request.refuse(outcome);
  }

  responded(keep: boolean): void {
    this.#request = undefined;
    this.upgradable.close();
    if (this.#state === "closed") return;
    if (!keep || this.#worker.closesIdle) {
      this.#linger();
    } else if (this.#socket.pendingBytes > relayPendingBytesMax) {
      this.#state = "full";
      this.#deadline.watch(this.#sendTimeoutMs);
    } else this.#readNext();
  }

  close(): void {
    if (this.#end()) this.#socket.destroy();
  }

  reset(): void {
    if (this.#end()) this.#socket.reset();
  }

  /** No further request: an idle connection closes, others end with their response. */
  drain(): void {
    if (this.#state !== "full" && (this.#state !== "head" || this.#heads.waitingBytes > 0)) return;
    if (this.#socket.pendingBytes > 0) this.#linger();
    else this.close();
  }

  /** The worker stops: what is under way ends now, in a way that the client can see. */
  stop(): void {
    this.#request?.abort(outcomes.draining);
    this.close();
  }

  #readHead(): void {
    if (this.#heads.waitingBytes === 0) return;
    const { config, headLimits } = this.#servers().initial;
    if (this.#heads.isAtStart) this.#deadline.set(config.headerTimeoutMs);
    const end = this.#heads.read(headLimits);
    if (end === headInvalid) this.refuse(this.#heads.problem!);
    else if (end !== headIncomplete) this.#startRequest(this.#heads.take(), end);
  }

  #unreadRequest(): RequestHandler {
    return unreadRequest(this, this.#heads, this.#facts, this.#worker, this.#servers());
  }

  /** A head is parsed; its body follows at `start`. */
  #startRequest(bytes: Buffer, start: number): void {
    const { head } = this.#heads;
    const context = newContext(head, start, this.#facts, this.#worker);
    context.isPipelined = this.#isPipelined;
    this.#isPipelined = false;
    const request = newRequest(this, context, this.#worker, this.#servers());
    this.#request = request;
    this.#sendTimeoutMs = request.bounds.clientSendTimeoutMs;
    const refusal = bodyRefusal(request.context, request.bounds, bytes.length - start);
    if (refusal !== undefined) {
      this.refuse(refusal);
      return;
    }
    this.#state = "body";
    if (head.contentLength <= 0 && !head.chunked) {
      this.#requestRead(nothing, bytes, start);
      return;
    }
    this.#body.start(head, request.bounds.bodyBytesMax);
    this.#deadline.set(request.bounds.bodyTimeoutMs);
    if (head.expectContinue && start === bytes.length) this.#socket.write(continueLine);
    if (start < bytes.length) this.#readBody(bytes, start);
  }

  #readBody(chunk: Buffer, start: number): void {
    const request = this.#request!;
    this.#deadline.set(request.bounds.bodyTimeoutMs);
    const body = this.#body;
    const end = body.read(chunk, start);
    if (body.problem !== undefined) {
      this.refuse(body.problem);
      return;
    }
    request.context.requestBytes += end - start;
    if (body.isComplete) this.#requestRead(body.take(), chunk, end);
  }

  #requestRead(body: Buffer, chunk: Buffer, end: number): void {
    this.#state = "busy";
    this.#deadline.clear();
    if (end < chunk.length) this.#heads.add(chunk.subarray(end));
    this.#request!.start(body);
  }

  /** The response is complete, and the connection stays. */
  #readNext(): void {
    this.#state = "head";
    if (this.#socket.pendingBytes === 0) this.#stopWatching();
    else this.#deadline.watch(this.#sendTimeoutMs);
    if (this.#heads.waitingBytes === 0) return;
    // Pipelined: the next request is here already. Deferred, so that no stack piles up within the end of this one.
    this.#state = "busy";
    this.#worker.clock.defer(() => {
      if (this.#state !== "busy" || this.#request !== undefined) return;
      this.#state = "head";
      this.#isPipelined = true;
      this.#readHead();
      this.#socket.resume();
    });
  }

  #expired(): void {
    if (this.#socket.pendingBytes > 0) this.#deadline.goesOn(this.#sendTimeoutMs) || this.#stall();
    else if (this.#deadline.isForReading) this.#stopWatching();
    else if (this.#state === "body" || (this.#state === "head" && this.#heads.waitingBytes > 0)) {
      this.refuse(outcomes.clientTimeout);
    } else this.close();
  }

  #stall(): void {
    const request = this.#request;
    this.reset();
    request?.abort(outcomes.clientStalled);
  }

  /** The client has read all: from now on the deadline is that of what the connection is doing. */
  #stopWatching(): void {
    const { keepAliveTimeoutMs, headerTimeoutMs } = this.#servers().initial.config;
    if (this.#state === "full") this.#readNext();
    else if (this.#state === "linger") this.#deadline.set(lingerTimeoutMs);
    else if (this.#state === "body") this.#deadline.set(this.#request!.bounds.bodyTimeoutMs);
    else if (this.#state === "busy") this.#deadline.set(0);
    else this.#deadline.set(this.#heads.waitingBytes > 0 ? headerTimeoutMs : keepAliveTimeoutMs);
  }

  #depart(): void {
    if (this.#state === "head" && this.#heads.waitingBytes > 0)
      this.#request ??= this.#unreadRequest();
    this.#request?.abort(outcomes.clientGone);
    this.close();
  }

  /**
   * FIN goes out, and what comes is dropped until the client closes, too: closing at once could destroy the response.
   */
  #linger(): void {
    this.#state = "linger";
    this.#heads.drop();
    if (this.#socket.pendingBytes === 0) this.#stopWatching();
    else this.#deadline.watch(this.#sendTimeoutMs);
    this.#socket.end();
    this.#socket.resume();
  }

  /** False if the connection had ended before. */
  #end(): boolean {
    if (this.#state === "closed") return false;
    this.#state = "closed";
    this.#body.drop();
    this.#pending.set(0);
    this.#deadline.end();
    this.#worker.forget(this);
    return true;
  }
}

const nothing = Buffer.alloc(0);
const continueLine = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n");
