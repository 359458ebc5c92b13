/** One client connection: reads requests one after the other, hands each on with its body, writes the answers in order. */
import { ChunkedReader } from "../../http1/chunked/chunked-reader.ts";
import { findHeadEnd, HEAD_MALFORMED, HEAD_UNFINISHED } from "../../http1/head/head-end.ts";
import { parseRequestHead, RequestHead } from "../../http1/head/request-head.ts";
import { PROBLEMS } from "../../http1/problems.ts";
import {
  lingerBytesMax,
  lingerTimeoutMs,
  pipelinedBytesMax,
  relayPendingBytesMax,
} from "../../limits.ts";
import type { Expirable } from "../../transport/deadlines.ts";
import type { Socket, SocketHandler } from "../../transport/socket.ts";
import { type Outcome, outcomes, refused } from "../context/outcomes.ts";
import { type ConnectionFacts, RequestContext } from "../context/request-context.ts";
import {
  type RequestClient,
  RequestHandler,
  type RequestServices,
} from "../request/request-handler.ts";
import type { VirtualServers } from "../routing/routing.ts";
import type { BodyBudget } from "./body-budget.ts";

/** What client connections need of their worker. */
export interface ClientServices extends RequestServices {
  readonly bodies: BodyBudget;
  /** Numbers connections from 1. */
  nextSerial(): number;
  /** The connection is closed. */
  forget(client: ClientConnection): void;
}

export class ClientConnection implements SocketHandler, Expirable, RequestClient {
  deadlineMs = Number.POSITIVE_INFINITY;
  deadlineIndex = -1;
  readonly #facts: ConnectionFacts;
  readonly #socket: Socket;
  readonly #worker: ClientServices;
  readonly #servers: () => VirtualServers;
  readonly #head = new RequestHead();
  #chunks: ChunkedReader | undefined;
  /** `full`: too much waits for the client to begin with another request. */
  #state: "head" | "body" | "busy" | "full" | "linger" | "closed" = "head";
  /** Bytes of a head that is not complete, or those behind a request that is being answered. */
  #waiting: Buffer = nothing;
  /** Bytes of `#waiting` that have been searched for the end of a head. */
  #searched = 0;
  #isPipelined = false;
  #request: RequestHandler | undefined;
  #body: Buffer[] = [];
  #bodyBytes = 0;
  #lingered = 0;
  /** Bytes given to the socket, and those that it was rid of when progress was last looked at. */
  #written = 0;
  #flushed = 0;
  #queued = 0;
  /** Whether the deadline is for the client to read on. */
  #watching = false;
  #sendTimeoutMs = lingerTimeoutMs;

  constructor(socket: Socket, worker: ClientServices, servers: () => VirtualServers) {
    this.#socket = socket;
    this.#worker = worker;
    this.#servers = servers;
    const nowMs = worker.clock.nowMs();
    this.#facts = {
      serial: worker.nextSerial(),
      openedMs: nowMs,
      remoteAddress: socket.remoteAddress,
      remotePort: socket.remotePort,
      localAddress: socket.localAddress,
      localPort: socket.localPort,
      requests: 0,
    };
    socket.handler = this;
    worker.deadlines.add(this);
    this.#expireIn(servers().initial.config.headerTimeoutMs);
  }

  get pendingBytes(): number {
    return this.#socket.pendingBytes;
  }

  onConnect(): void {}

  onData(chunk: Buffer): void {
    switch (this.#state) {
      case "head":
        this.#readHead(this.#waiting.length === 0 ? chunk : Buffer.concat([this.#waiting, chunk]));
        break;
      case "body":
        this.#readBody(chunk, 0);
        break;
      case "busy":
      case "full":
        this.#waiting = this.#waiting.length === 0 ? chunk : Buffer.concat([this.#waiting, chunk]);
        if (this.#waiting.length > pipelinedBytesMax) this.#socket.pause();
        break;
      case "linger":
        this.#lingered += chunk.length;
        if (this.#lingered > lingerBytesMax) this.close();
        break;
    }
  }

  onDrain(): void {
    if (this.#watching) this.#watchNoMore();
    if (this.#state === "busy") this.#request?.clientDrained();
  }

  /**
   * FIN: as in nginx, a client that ends its side while it waits for an answer has gone away. One that has only the end of its
   * answer to read may still do so.
   */
  onEnd(): void {
    if (this.#request !== undefined || this.#socket.pendingBytes === 0) this.#depart();
    else if (this.#state !== "linger") this.#linger();
  }

  #depart(): void {
    this.#request?.abort(outcomes.clientGone);
    this.close();
  }

  /** The worker stops: what is under way ends now, in a way that the client can see. */
  stop(): void {
    this.#request?.abort(outcomes.draining);
    this.close();
  }

  onClose(): void {
    this.#depart();
  }

  expired(): void {
    if (this.#socket.pendingBytes > 0) this.#checkProgress();
    else if (this.#watching) this.#watchNoMore();
    else if (this.#state === "body" || (this.#state === "head" && this.#waiting.length > 0)) {
      this.#refuse(outcomes.clientTimeout);
    } else this.close();
  }

  /** Bytes of an answer. They may be used again when `pendingBytes` is zero afterwards. */
  write(bytes: Buffer, start: number, end: number): void {
    if (this.#state === "closed") return;
    this.#socket.write(bytes, start, end);
    this.#written += end - start;
    if (this.#socket.pendingBytes > 0 && this.deadlineMs === Number.POSITIVE_INFINITY) {
      this.#watchProgress();
    }
  }

  #watchProgress(): void {
    this.#flushed = this.#written - this.#socket.pendingBytes;
    this.#queued = this.#socket.writeQueueBytes;
    this.#expireIn(this.#sendTimeoutMs);
    this.#watching = true;
  }

  /** A client is stalled when it has read nothing of what waits for it in all that time. */
  #checkProgress(): void {
    const { pendingBytes, writeQueueBytes } = this.#socket;
    if (this.#written - pendingBytes > this.#flushed || writeQueueBytes !== this.#queued) {
      this.#watchProgress();
      return;
    }
    const request = this.#request;
    this.reset();
    request?.abort(outcomes.clientStalled);
  }

  /** The client has read all: from now on the deadline is that of what the connection is doing. */
  #watchNoMore(): void {
    const { keepAliveTimeoutMs, headerTimeoutMs } = this.#servers().initial.config;
    if (this.#state === "full") this.#goOn();
    else if (this.#state === "linger") this.#expireIn(lingerTimeoutMs);
    else if (this.#state === "body") this.#expireIn(this.#request!.bodyTimeoutMs);
    else if (this.#state === "busy") this.#expireIn(0);
    else this.#expireIn(this.#waiting.length > 0 ? headerTimeoutMs : keepAliveTimeoutMs);
  }

  /** The answer is complete. @param keep the connection may serve another request */
  answered(keep: boolean): void {
    this.#request = undefined;
    if (this.#state === "closed") return;
    if (!keep || this.#worker.draining) {
      this.#linger();
    } else if (this.#socket.pendingBytes > relayPendingBytesMax) {
      this.#state = "full";
      if (!this.#watching) this.#watchProgress();
    } else this.#goOn();
  }

  #goOn(): void {
    this.#state = "head";
    if (this.#socket.pendingBytes === 0) this.#watchNoMore();
    else if (!this.#watching) this.#watchProgress();
    if (this.#waiting.length === 0) return;
    // Pipelined: the next request is here already. Not from within the end of this one, so that no stack piles up.
    const waiting = this.#waiting;
    this.#waiting = nothing;
    this.#state = "busy";
    this.#worker.clock.defer(() => {
      if (this.#state !== "busy" || this.#request !== undefined) return;
      this.#state = "head";
      this.#isPipelined = true;
      const more = this.#waiting;
      this.#waiting = nothing;
      this.#readHead(more.length === 0 ? waiting : Buffer.concat([waiting, more]));
      this.#socket.resume();
    });
  }

  /** No further request: an idle connection is closed, others end with their answer. */
  drain(): void {
    if (this.#state !== "full" && (this.#state !== "head" || this.#waiting.length > 0)) return;
    if (this.#socket.pendingBytes > 0) this.#linger();
    else this.close();
  }

  /** Whether this connection will serve another request after the one under way. */
  mayKeep(keepAliveRequests: number): boolean {
    return (
      this.#head.keepAlive && !this.#worker.draining && this.#facts.requests < keepAliveRequests
    );
  }

  close(): void {
    if (this.#leave()) this.#socket.destroy();
  }

  /** Closes so that the client cannot take what it has for all. */
  reset(): void {
    if (this.#leave()) this.#socket.reset();
  }

  /** False when it was closed before. */
  #leave(): boolean {
    if (this.#state === "closed") return false;
    this.#state = "closed";
    this.#dropBody();
    this.#worker.deadlines.remove(this);
    this.#worker.forget(this);
    return true;
  }

  #readHead(bytes: Buffer): void {
    const { headBytesMax, headerTimeoutMs } = this.#servers().initial.config;
    if (this.#searched === 0) this.#expireIn(headerTimeoutMs);
    const end = findHeadEnd(bytes, 0, bytes.length, this.#searched);
    if (end === HEAD_UNFINISHED && bytes.length <= headBytesMax) {
      this.#waiting = bytes;
      this.#searched = bytes.length;
      return;
    }
    this.#waiting = nothing;
    this.#searched = 0;
    if (end === HEAD_MALFORMED || end === HEAD_UNFINISHED) {
      const problem = end === HEAD_MALFORMED ? PROBLEMS.unfinishedHead : PROBLEMS.headTooLarge;
      this.#refuse(refused(problem.status, problem.code, problem.detail));
      return;
    }
    const text = bytes.toString("latin1", 0, end);
    const limits = { headBytes: headBytesMax, fieldCount: 256, targetBytes: headBytesMax };
    const problem = parseRequestHead(text, this.#head, limits, bytes);
    if (problem !== undefined) {
      this.#refuse(refused(problem.status, problem.code, problem.detail));
      return;
    }
    this.#begin(bytes, end);
  }

  /** A head is parsed; its body follows at `start`. */
  #begin(bytes: Buffer, start: number): void {
    const head = this.#head;
    this.#facts.requests += 1;
    const context = new RequestContext(head, this.#facts, this.#worker.clock.nowMs());
    context.requestBytes = start;
    context.isPipelined = this.#isPipelined;
    this.#isPipelined = false;
    const request = new RequestHandler(this, context, this.#worker, this.#servers());
    this.#request = request;
    this.#sendTimeoutMs = request.clientSendTimeoutMs;
    if (head.contentLength > request.bodyBytesMax) {
      this.#refuse(outcomes.bodyTooLarge);
      return;
    }
    this.#state = "body";
    if (head.contentLength <= 0 && !head.chunked) {
      this.#bodyRead(bytes, start);
      return;
    }
    if (head.chunked) {
      this.#chunks ??= new ChunkedReader();
      this.#chunks.reset();
    }
    this.#expireIn(request.bodyTimeoutMs);
    if (head.expectContinue && start === bytes.length) this.#socket.write(continueLine);
    if (start < bytes.length) this.#readBody(bytes, start);
  }

  #readBody(chunk: Buffer, start: number): void {
    const request = this.#request!;
    this.#expireIn(request.bodyTimeoutMs);
    let end: number;
    let done: boolean;
    if (this.#head.chunked) {
      const reader = this.#chunks!;
      end = reader.feed(chunk, start, chunk.length);
      if (reader.problem !== undefined) {
        this.#refuse({ ...outcomes.badChunk, message: reader.problem.detail });
        return;
      }
      for (let i = 0; i < reader.dataSpanCount; i += 1) {
        if (!this.#keepBody(chunk, reader.dataSpans[2 * i]!, reader.dataSpans[2 * i + 1]!)) return;
      }
      done = reader.done;
      request.context.requestBytes += end - start;
    } else {
      end = Math.min(chunk.length, start + this.#head.contentLength - this.#bodyBytes);
      if (!this.#keepBody(chunk, start, end)) return;
      done = this.#bodyBytes === this.#head.contentLength;
      request.context.requestBytes += end - start;
    }
    if (done) this.#bodyRead(chunk, end);
  }

  #keepBody(chunk: Buffer, start: number, end: number): boolean {
    const bytes = end - start;
    if (this.#bodyBytes + bytes > this.#request!.bodyBytesMax) {
      this.#refuse(outcomes.bodyTooLarge);
      return false;
    }
    if (!this.#worker.bodies.take(bytes)) {
      this.#refuse(outcomes.bodiesFull);
      return false;
    }
    this.#bodyBytes += bytes;
    this.#body.push(start === 0 && end === chunk.length ? chunk : chunk.subarray(start, end));
    return true;
  }

  #bodyRead(chunk: Buffer, end: number): void {
    const request = this.#request!;
    const body = this.#body;
    this.#state = "busy";
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.#waiting = end === chunk.length ? nothing : chunk.subarray(end);
    const whole = body.length === 1 ? body[0]! : Buffer.concat(body, this.#bodyBytes);
    if (body.length > 0) this.#body = [];
    this.#bodyBytes = 0;
    request.begin(whole);
  }

  /** Answers a request that was not read to its end; what the client still sends is read and dropped for a while. */
  #refuse(outcome: Outcome): void {
    this.#state = "busy";
    this.#waiting = nothing;
    this.#searched = 0;
    this.#dropBody();
    this.deadlineMs = Number.POSITIVE_INFINITY;
    if (this.#request === undefined) {
      const context = new RequestContext(
        new RequestHead(),
        this.#facts,
        this.#worker.clock.nowMs(),
      );
      this.#request = new RequestHandler(this, context, this.#worker, this.#servers(), true);
    }
    this.#request.refuse(outcome);
  }

  /** FIN goes out, and what comes in is dropped until the client closes too: closing at once could destroy the answer. */
  #linger(): void {
    this.#state = "linger";
    this.#waiting = nothing;
    if (this.#socket.pendingBytes === 0) this.#watchNoMore();
    else if (!this.#watching) this.#watchProgress();
    this.#socket.end();
    this.#socket.resume();
  }

  #dropBody(): void {
    this.#worker.bodies.giveBack(this.#bodyBytes);
    this.#bodyBytes = 0;
    this.#body = [];
  }

  #expireIn(ms: number): void {
    this.#watching = false;
    this.deadlineMs = this.#worker.deadlines.dueIn(ms);
  }
}

const nothing = Buffer.alloc(0);
const continueLine = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n");
