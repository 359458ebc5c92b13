/**
 * One connection on which a decode engine calls back: small POSTs with a length, one at a time, each responded to when
 * its prefill is over. Not a client connection: there are no routes, and a path that nobody waits for is refused before
 * its body is read.
 */
import { findHeadEnd, HEAD_MALFORMED, HEAD_UNFINISHED } from "../../http1/head/head-end.ts";
import { parseRequestHead, RequestHead } from "../../http1/head/request-head.ts";
import { reasonOf } from "../../http1/reason.ts";
import { callbackBytesMax, callbackHeadBytesMax, callbackTimeoutMs } from "../../limits.ts";
import type { Deadlines, Expirable } from "../../transport/deadlines.ts";
import type { Socket, SocketHandler } from "../../transport/socket.ts";
import type { AttemptCallback, Callbacks, Caller, CallStatus } from "../pd/callbacks.ts";

export interface CallbackServer {
  readonly callbacks: Callbacks;
  readonly deadlines: Deadlines;
  forgetCaller(connection: CallbackConnection): void;
}

export class CallbackConnection implements SocketHandler, Expirable, Caller {
  deadlineMs: number;
  deadlineIndex = -1;
  readonly #socket: Socket;
  readonly #server: CallbackServer;
  readonly #head = new RequestHead();
  #state: "head" | "body" | "waiting" | "closed" = "head";
  /** What has come and is not read yet. */
  #bytes: Buffer = nothing;
  #body: Buffer = nothing;
  #bodyBytes = 0;
  #callback: AttemptCallback | undefined;

  constructor(socket: Socket, server: CallbackServer) {
    this.#socket = socket;
    this.#server = server;
    this.deadlineMs = server.deadlines.dueIn(callbackTimeoutMs);
    socket.handler = this;
    server.deadlines.add(this);
  }

  onConnect(): void {}
  onDrain(): void {}

  onData(chunk: Buffer): void {
    if (this.#state === "closed") return;
    // A caller may send the next head ahead, and nothing more, while it waits for a response.
    if (this.#state === "waiting" && this.#bytes.length + chunk.length > callbackHeadBytesMax) {
      this.close();
      return;
    }
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    this.#read();
  }

  /** A caller that ends its side has gone: nobody is left to read a response. */
  onEnd(): void {
    this.close();
  }

  onClose(): void {
    this.close();
  }

  expired(): void {
    this.close();
  }

  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#callback?.forget(this);
    this.#server.deadlines.remove(this);
    this.#server.forgetCaller(this);
    this.#socket.destroy();
  }

  respondToCall(status: CallStatus): void {
    if (this.#state === "closed") return;
    this.#callback = undefined;
    const text = status === 200 ? '{"status":"ok"}' : `{"error":"${reasonOf(status)}"}`;
    const keeps = this.#head.keepAlive && (status === 200 || status === 502);
    const head =
      `HTTP/1.1 ${status} ${reasonOf(status)}\r\nServer: global-proxy\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${text.length}\r\n` +
      `Connection: ${keeps ? "keep-alive" : "close"}\r\n\r\n`;
    this.#socket.write(Buffer.from(head + text, "latin1"));
    this.deadlineMs = this.#server.deadlines.dueIn(callbackTimeoutMs);
    this.#state = "head";
    if (keeps) {
      if (this.#bytes.length > 0) this.#read();
    } else {
      this.#state = "waiting";
      this.#socket.end();
    }
  }

  #read(): void {
    if (this.#state === "head") this.#readHead();
    if (this.#state === "body") this.#readBody();
  }

  #readHead(): void {
    const bytes = this.#bytes;
    const end = findHeadEnd(bytes, 0, bytes.length, 0);
    if (end === HEAD_UNFINISHED && bytes.length <= callbackHeadBytesMax) return;
    if (end === HEAD_MALFORMED || end === HEAD_UNFINISHED) {
      this.close();
      return;
    }
    const text = bytes.toString("latin1", 0, end);
    if (parseRequestHead(text, this.#head, limits, bytes) !== undefined) {
      this.close();
      return;
    }
    this.#bytes = end === bytes.length ? nothing : bytes.subarray(end);
    const callback = this.#server.callbacks.find(this.#head.target);
    if (callback === undefined || this.#head.method !== "POST") {
      this.respondToCall(404);
    } else if (this.#head.contentLength < 0) callback.refuse(400, this);
    else if (this.#head.contentLength > callbackBytesMax) callback.refuse(413, this);
    else {
      this.#callback = callback;
      this.#body = Buffer.allocUnsafe(this.#head.contentLength);
      this.#bodyBytes = 0;
      this.#state = "body";
    }
  }

  #readBody(): void {
    const bytes = this.#bytes;
    const body = this.#body;
    const taken = bytes.copy(body, this.#bodyBytes);
    this.#bytes = taken === bytes.length ? nothing : bytes.subarray(taken);
    this.#bodyBytes += taken;
    if (this.#bodyBytes < body.length) return;
    this.#body = nothing;
    this.#state = "waiting";
    // The prefill's own time-outs hold.
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.#callback!.call(body, this);
  }
}

const nothing = Buffer.alloc(0);
const limits = {
  headBytes: callbackHeadBytesMax,
  fieldCount: 64,
  targetBytes: callbackHeadBytesMax,
};
