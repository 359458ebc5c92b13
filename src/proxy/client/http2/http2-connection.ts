/**
 * One client connection of HTTP/2. The library (`node:http2`) reads frames, compresses heads and keeps the windows;
 * each of its streams is served as a connection of HTTP/1.1 with one request (`stream-socket.ts`).
 */
import type { ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import { http2ResetsMax, http2ResetsPerS } from "../../../http2/limits.ts";
import { requestText } from "../../../http2/request-text.ts";
import { lingerTimeoutMs } from "../../../limits.ts";
import type { Expirable } from "../../../transport/deadlines.ts";
import type { Socket } from "../../../transport/socket.ts";
import { SocketStream } from "../../../transport/socket-stream.ts";
import { refused } from "../../context/refused.ts";
import { type ConnectionFacts, connectionFacts } from "../../context/request-context.ts";
import type { VirtualServers } from "../../routing/virtual-servers.ts";
import { ClientConnection } from "../client-connection.ts";
import type { Client, ClientServices } from "../client-services.ts";
import { FloodCheck } from "./flood-check.ts";
import { StreamSocket } from "./stream-socket.ts";

/** Loaded once a client speaks HTTP/2. */
const library = (): typeof import("node:http2") => process.getBuiltinModule("node:http2");

/** RFC 9113, sections 6 and 7. */
const endStreamFlag = 1;
const refusedStream = 7;
const enhanceYourCalm = 11;

export class Http2Connection implements Client, Expirable {
  deadlineMs = Number.POSITIVE_INFINITY;
  deadlineIndex = -1;
  readonly socket: Socket;
  readonly #worker: ClientServices;
  readonly #servers: () => VirtualServers;
  readonly #facts: ConnectionFacts;
  readonly #stream: SocketStream;
  readonly #session: ServerHttp2Session;
  readonly #streamsMax: number;
  readonly #flood: FloodCheck;
  readonly #open = new Set<ClientConnection>();
  #isClosing = false;
  #isStopping = false;
  #isClosed = false;

  constructor(socket: Socket, worker: ClientServices, servers: () => VirtualServers) {
    this.socket = socket;
    this.#worker = worker;
    this.#servers = servers;
    const facts = connectionFacts(socket, worker.nextSerial(), worker.clock.nowMs());
    this.#facts = { ...facts, http2: facts.tls === undefined ? "h2c" : "h2" };
    const { config, headLimits } = servers().initial;
    this.#streamsMax = config.http2StreamsMax;
    this.#stream = new SocketStream(socket);
    this.#flood = new FloodCheck(() => worker.clock.nowMs());
    this.#stream.heard = (bytes) => {
      if (this.#flood.isFlood(bytes)) this.#refuseMore();
    };
    this.#session = library().performServerHandshake(this.#stream, {
      settings: {
        maxConcurrentStreams: this.#streamsMax,
        maxHeaderListSize: headLimits.headBytes,
        enablePush: false,
      },
      maxHeaderListPairs: headLimits.fieldCount + pseudoFields,
      // The library of Node leaves such a connection open.
      streamResetBurst: 2 * http2ResetsMax,
      streamResetRate: 2 * http2ResetsPerS,
    });
    this.#session.on("stream", (stream, _headers, flags, fields) => {
      this.#begin(stream, flags, fields as unknown as readonly string[]);
    });
    // What follows an error is the end of the session.
    this.#session.on("error", () => {});
    this.#session.on("close", () => this.#ended());
    this.#stream.on("error", () => {});
    this.#stream.on("close", () => this.#ended());
    worker.deadlines.add(this);
    this.deadlineMs = worker.deadlines.dueIn(config.headerTimeoutMs);
  }

  #begin(stream: ServerHttp2Stream, flags: number, fields: readonly string[]): void {
    stream.on("error", () => {});
    if (this.#open.size >= this.#streamsMax || this.#isClosing) {
      stream.close(refusedStream);
      return;
    }
    const hasBody = (flags & endStreamFlag) === 0;
    const request = requestText(fields, hasBody);
    this.#flood.asked(fields);
    const facts = { ...this.#facts };
    this.#facts.requests += 1;
    const socket = new StreamSocket(stream, this);
    const client = new ClientConnection(socket, this.#worker, this.#servers, facts);
    this.#open.add(client);
    this.deadlineMs = Number.POSITIVE_INFINITY;
    stream.once("close", () => this.#closed(client));
    if ("text" in request) socket.start(request);
    else {
      socket.start(undefined);
      client.refuse(refused(request.status, request.code, request.detail));
    }
  }

  /** Of a body. */
  received(bytes: number): void {
    this.#flood.received(bytes);
  }

  takenBack(): void {
    if (this.#flood.isResetTooOften()) this.#refuseMore();
  }

  #closed(client: ClientConnection): void {
    this.#open.delete(client);
    const { keepAliveTimeoutMs, keepAliveRequests } = this.#servers().initial.config;
    if (this.#facts.requests >= keepAliveRequests || this.#worker.draining) this.drain();
    if (this.#open.size > 0) return;
    const ms = this.#isClosing ? lingerTimeoutMs : keepAliveTimeoutMs;
    this.deadlineMs = this.#worker.deadlines.dueIn(ms);
  }

  /** GOAWAY: no further stream; those that are open end as they do. */
  drain(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    if (this.#open.size === 0) this.deadlineMs = this.#worker.deadlines.dueIn(lingerTimeoutMs);
    this.#session.close();
  }

  stop(): void {
    for (const client of [...this.#open]) client.stop();
    this.#isClosing = true;
    this.#isStopping = true;
    this.deadlineMs = this.#worker.deadlines.dueIn(lingerTimeoutMs);
    this.#session.destroy();
  }

  expired(): void {
    if (this.#isStopping) this.#stream.destroy();
    else if (this.#isClosing) this.stop();
    else this.drain();
  }

  /** The client costs more than it asks for. */
  #refuseMore(): void {
    if (this.#isStopping || this.#session.destroyed) return;
    this.#session.goaway(enhanceYourCalm);
    this.stop();
  }

  #ended(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#worker.deadlines.remove(this);
    for (const client of [...this.#open]) client.onClose();
    this.#stream.destroy();
    this.#worker.forget(this);
  }
}

/** Not among the fields that are counted in HTTP/1.1. */
const pseudoFields = 4;
