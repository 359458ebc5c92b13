/** One HTTP/1.1 connection to an engine: sends a request, parses the response, and goes back to its link then. */
import { ChunkedReader } from "../../../http1/chunked/chunked-reader.ts";
import type { ResponseHead } from "../../../http1/head/response-head.ts";
import { lingerTimeoutMs } from "../../../limits.ts";
import type { Expirable } from "../../../transport/deadlines.ts";
import type { Socket, SocketHandler } from "../../../transport/socket.ts";
import type { LegFailure } from "../../context/legs.ts";
import type { ConnectionPool, LegOwner } from "./connection-owner.ts";
import { type EngineTimeouts, noTimeouts, shorter } from "./engine-timeouts.ts";
import { headIncomplete, headInvalid, ResponseHeadReader } from "./response-head-reader.ts";

export class EngineConnection implements SocketHandler, Expirable {
  readonly link: ConnectionPool<EngineConnection>;
  readonly reader: ChunkedReader = new ChunkedReader();
  deadlineMs = Number.POSITIVE_INFINITY;
  deadlineIndex = -1;
  /** Requests sent so far. */
  requests = 0;
  /** Of the response under way, head included. */
  bytesReceived = 0;
  /** The request asks for another protocol on this connection. */
  mayUpgrade = false;
  /** Called when the engine has taken what waited for it; undefined = nobody waits. */
  onDrained: (() => void) | undefined;
  readonly #socket: Socket;
  #owner: LegOwner<EngineConnection> | undefined;
  #state: "connecting" | "idle" | "head" | "body" | "closed" = "connecting";
  #method = "";
  #isLast = false;
  /** Its sender has no more to say: the end of the connection is that of the response, however it comes. */
  #hasEnded = false;
  #timeouts: EngineTimeouts = noTimeouts;
  /** When the request was sent, or when some of it last left the socket. */
  #sentMs = 0;
  /** When the whole response must be here. */
  #endMs = Number.POSITIVE_INFINITY;
  #unsentBytes = -1;
  #queuedBytes = -1;
  readonly #heads = new ResponseHeadReader();
  #remaining = 0;

  constructor(link: ConnectionPool<EngineConnection>, connect: (handler: SocketHandler) => Socket) {
    this.link = link;
    this.#socket = connect(this);
    link.deadlines.add(this);
  }

  /** Of the response under way; 1xx are skipped. */
  get head(): ResponseHead {
    return this.#heads.head;
  }

  /** Pooled, waiting for a request. */
  get idle(): boolean {
    return this.#state === "idle";
  }

  get connecting(): boolean {
    return this.#state === "connecting";
  }

  /**
   * Sends a whole request.
   * @param memory which begins with the request's bytes; referred to by the socket while `pendingBytes` is above zero
   */
  send(
    memory: Buffer,
    bytes: number,
    method: string,
    owner: LegOwner<EngineConnection>,
    timeouts: EngineTimeouts,
  ): void {
    this.#owner = owner;
    this.#method = method;
    this.#timeouts = timeouts;
    this.requests += 1;
    this.bytesReceived = 0;
    this.#heads.reset();
    this.#endMs = this.link.deadlines.dueIn(timeouts.totalTimeoutMs ?? 0);
    if (this.#state === "connecting") this.#expireIn(timeouts.connectTimeoutMs);
    else this.#awaitResponse();
    this.#socket.write(memory, 0, bytes);
  }

  /** Further bytes of the same request. */
  sendMore(bytes: Buffer): void {
    if (this.#state !== "closed") this.#socket.write(bytes);
  }

  /** Bytes of another protocol, after a 101. Each counts as a sign of life. */
  passOn(bytes: Buffer): void {
    if (this.#state === "closed") return;
    this.#socket.write(bytes);
    this.#expireIn(this.#timeouts.readTimeoutMs);
  }

  /** The sender has no more to say in that protocol: the engine gets its end, and some time for its own. */
  endRequest(): void {
    if (this.#state === "closed") return;
    this.#hasEnded = true;
    this.#socket.end();
    this.#expireIn(lingerTimeoutMs);
  }

  get pendingBytes(): number {
    return this.#socket.pendingBytes;
  }

  /** The response's reader is slow: read no more of it until `resume`. */
  pause(): void {
    this.deadlineMs = this.#endMs;
    this.#socket.pause();
  }

  resume(): void {
    this.#expireIn(this.#timeouts.readTimeoutMs);
    this.#socket.resume();
  }

  /** The request is not wanted any more. There is no way to say so in HTTP/1.1 but to close. */
  cancel(): void {
    this.#owner = undefined;
    this.close();
  }

  /** As `cancel`, unless the response is another owner's by now. */
  leave(owner: LegOwner<EngineConnection> | undefined): void {
    if (this.#owner === owner) this.cancel();
  }

  /**
   * The request is not wanted, but what the engine has already responded is. Our side ends: engines know by it that
   * nobody waits, and close. The owner has a time-out of its own.
   */
  hangUp(owner: LegOwner<EngineConnection>): void {
    this.#owner = owner;
    this.#isLast = true;
    this.#timeouts = noTimeouts;
    this.#endMs = Number.POSITIVE_INFINITY;
    this.resume();
    this.#socket.end();
  }

  close(): void {
    if (this.#state === "closed") return;
    const wasIdle = this.#state === "idle";
    this.#state = "closed";
    this.link.deadlines.remove(this);
    if (wasIdle) this.link.forget(this);
    this.#socket.destroy();
  }

  onConnect(): void {
    if (this.#state !== "connecting") return;
    this.#awaitResponse();
    this.#owner?.legConnected(this);
  }

  onData(chunk: Buffer): void {
    this.bytesReceived += chunk.length;
    if (this.#state === "head") this.#onHeadBytes(chunk);
    else if (this.#state === "body") this.#onBody(chunk, 0);
    // An idle engine has nothing to say: such bytes would be taken for the response to the next request.
    else if (this.#state === "idle") this.close();
  }

  onDrain(): void {
    this.onDrained?.();
  }
  onEnd(): void {
    if (this.#state === "body" && this.head.framing === "close") this.#end(true);
    else this.#onGone("closed by the engine");
  }

  onClose(error: NodeJS.ErrnoException | undefined): void {
    const isLocal = error?.code === "EMFILE" || error?.code === "ENFILE";
    if (isLocal && this.#state === "connecting") this.#fail("descriptors", error.message);
    else this.#onGone(error?.message ?? "closed by the engine");
  }

  expired(): void {
    if (this.#state === "idle") this.close();
    else if (this.#state !== "head" || !this.#goesOn())
      this.#fail("timeout", this.#state === "connecting" ? "connect timed out" : "read timed out");
  }

  #awaitResponse(): void {
    const { sendTimeoutMs, readTimeoutMs } = this.#timeouts;
    this.#state = "head";
    this.#sentMs = this.link.deadlines.nowMs;
    this.#unsentBytes = -1;
    this.#expireIn(shorter(sendTimeoutMs, readTimeoutMs));
  }

  /** Whether a request is only large, or its response may still come in time: then there is a new deadline. */
  #goesOn(): boolean {
    const { sendTimeoutMs, readTimeoutMs } = this.#timeouts;
    const { nowMs } = this.link.deadlines;
    if (nowMs >= this.#endMs) return false;
    const { pendingBytes, writeQueueBytes } = this.#socket;
    if (pendingBytes === 0) {
      this.#expireIn(readTimeoutMs, nowMs - this.#sentMs);
      return this.deadlineMs > nowMs;
    }
    if (pendingBytes === this.#unsentBytes && writeQueueBytes === this.#queuedBytes) return false;
    this.#unsentBytes = pendingBytes;
    this.#queuedBytes = writeQueueBytes;
    this.#sentMs = nowMs;
    this.#expireIn(shorter(sendTimeoutMs, readTimeoutMs));
    return true;
  }

  #onHeadBytes(chunk: Buffer): void {
    const heads = this.#heads;
    const start = heads.read(chunk, this.#method, this.mayUpgrade);
    if (start === headInvalid) this.#fail("invalid", heads.problem);
    else if (start !== headIncomplete) this.#startBody(heads.take(), start);
  }

  /** The final head is parsed; the body follows at `start`. */
  #startBody(bytes: Buffer, start: number): void {
    const { head } = this;
    this.#state = "body";
    this.#expireIn(this.#timeouts.readTimeoutMs);
    if (head.framing === "chunked") this.reader.reset();
    this.#remaining = head.framing === "length" ? head.contentLength : 0;
    const owner = this.#owner;
    owner?.legHead(this);
    if (this.#owner !== owner) return;
    if (head.framing === "none" || (head.framing === "length" && this.#remaining === 0)) {
      this.#end(bytes.length > start);
    } else if (bytes.length > start) this.#onBody(bytes, start);
  }

  #onBody(chunk: Buffer, start: number): void {
    this.#expireIn(this.#timeouts.readTimeoutMs);
    const owner = this.#owner;
    switch (this.head.framing) {
      case "chunked": {
        const end = this.reader.feed(chunk, start, chunk.length);
        if (this.reader.problem !== undefined) {
          this.#fail("invalid", this.reader.problem.detail);
          return;
        }
        owner?.legBody(this, chunk, start, end);
        if (this.reader.done && this.#owner === owner) this.#end(end < chunk.length);
        return;
      }
      case "length": {
        const end = Math.min(chunk.length, start + this.#remaining);
        this.#remaining -= end - start;
        owner?.legBody(this, chunk, start, end);
        if (this.#remaining === 0 && this.#owner === owner) this.#end(end < chunk.length);
        return;
      }
      default:
        owner?.legBody(this, chunk, start, chunk.length);
    }
  }

  /** The response is complete. @param excess bytes came behind it, so that the connection cannot be trusted any more */
  #end(excess: boolean): void {
    const owner = this.#owner;
    this.#owner = undefined;
    this.#endMs = Number.POSITIVE_INFINITY;
    const reusable = this.head.keepAlive && !excess && this.#socket.pendingBytes === 0;
    if (reusable && !this.#isLast && this.link.mayKeep(this)) {
      this.#state = "idle";
      this.#socket.resume();
      this.#expireIn(this.link.idleMs);
      this.link.keep(this);
    } else this.close();
    owner?.legEnded(this);
  }

  #onGone(cause: string): void {
    if (this.#state === "closed") return;
    if (this.#state === "idle") this.close();
    else this.#fail("error", cause);
  }

  #fail(kind: LegFailure, cause: string): void {
    if (this.#hasEnded) {
      this.#end(true);
      return;
    }
    const unsent = this.#state === "connecting";
    const stale =
      kind === "error" && this.#state === "head" && this.requests > 1 && this.bytesReceived === 0;
    const owner = this.#owner;
    if (kind !== "timeout") this.cancel();
    owner?.legFailed(this, { kind, stale, unsent, cause });
    this.leave(owner);
  }

  /** @param sinceMs how long ago the time began */
  #expireIn(ms: number, sinceMs = 0): void {
    this.deadlineMs = Math.min(this.link.deadlines.dueIn(ms) - sinceMs, this.#endMs);
  }
}
