/** A socket of Bun's own, as the data plane sees it. */
import { type Socket, type SocketHandler, span } from "./socket.ts";
import type { TlsSession } from "./tls/session.ts";

/** The part of Bun's API that is used here; its own types would clash with Node's. */
export interface NativeSocket {
  data: NativeOwner;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** Bytes taken by the kernel; -1 on a closed socket. */
  write(bytes: Uint8Array, offset?: number, length?: number): number;
  pause(): void;
  resume(): void;
  /** Sends FIN. (`end` closes both directions.) */
  shutdown(): void;
  close(): void;
  /** Closes with RST: what the kernel has not sent is lost. */
  terminate(): void;
  setNoDelay(on: boolean): void;
}
/** Who hears the events of a socket. */
export interface NativeOwner {
  readonly handler: Pick<SocketHandler, "onData" | "onEnd">;
  drained(): void;
  failed(error: Error): void;
  closed(error: Error | undefined): void;
}
export interface NativeHandlers {
  open(socket: NativeSocket): void;
  data(socket: NativeSocket, chunk: Buffer): void;
  drain(socket: NativeSocket): void;
  end(socket: NativeSocket): void;
  close(socket: NativeSocket, error?: Error): void;
  error(socket: NativeSocket, error: Error): void;
  connectError?(socket: NativeSocket, error: Error): void;
}

export class BunSocket implements Socket, NativeOwner {
  handler: SocketHandler;
  tls: TlsSession | "missing" | undefined;
  #native: NativeSocket | undefined;
  /** Of an encrypted connection: before the handshake is over, bytes wait. */
  #canSend = false;
  readonly #queue: Buffer[] = [];
  #pendingBytes = 0;
  #ending = false;
  #closed = false;
  #error: Error | undefined;

  constructor(handler: SocketHandler) {
    this.handler = handler;
  }

  opened(native: NativeSocket): void {
    this.attach(native);
    native.setNoDelay(true);
    this.#canSend = true;
    if (this.#closed) native.close();
  }

  /** This is the socket, of which nothing is known yet, or that of the layer above it. */
  attach(native: NativeSocket): void {
    this.#native = native;
    native.data = this;
  }

  /** The handshake is over. */
  canSend(): void {
    this.#canSend = true;
    this.flush();
  }

  write(chunk: Buffer, start = 0, end = chunk.length): void {
    if (this.#closed || this.#ending) return;
    if (this.#pendingBytes > 0 || this.#native === undefined || !this.#canSend) {
      this.#enqueue(span(chunk, start, end));
      return;
    }
    const written = Math.max(0, this.#native.write(chunk, start, end - start));
    if (start + written < end) this.#enqueue(rest(chunk, start + written, end));
  }

  #enqueue(chunk: Buffer): void {
    this.#queue.push(chunk);
    this.#pendingBytes += chunk.length;
  }

  /** Writes what is pending; true when nothing is left. */
  flush(): boolean {
    if (!this.#canSend) return false;
    while (this.#queue.length > 0) {
      const chunk = this.#queue[0]!;
      const written = Math.max(0, this.#native?.write(chunk) ?? 0);
      this.#pendingBytes -= written;
      if (written < chunk.length) {
        this.#queue[0] = rest(chunk, written, chunk.length);
        return false;
      }
      this.#queue.shift();
    }
    return true;
  }

  drained(): void {
    if (this.#pendingBytes === 0 || !this.flush()) return;
    if (this.#ending) this.#native?.shutdown();
    else this.handler.onDrain();
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }
  get writeQueueBytes(): number {
    return this.#pendingBytes;
  }
  pause(): void {
    this.#native?.pause();
  }
  resume(): void {
    this.#native?.resume();
  }
  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    if (this.#native !== undefined && !this.#canSend) this.destroy();
    else if (this.#pendingBytes === 0) this.#native?.shutdown();
  }
  destroy(): void {
    if (this.#closed) return;
    this.#native?.close();
    this.closed(undefined);
  }
  reset(): void {
    if (this.#closed) return;
    this.#native?.terminate();
    this.closed(undefined);
  }
  failed(error: Error): void {
    this.#error ??= error;
  }
  get isClosed(): boolean {
    return this.#closed;
  }
  closed(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue.length = 0;
    this.#pendingBytes = 0;
    const cause = this.#error ?? error;
    queueMicrotask(() => this.handler.onClose(cause));
  }
  get remoteAddress(): string {
    return this.#native?.remoteAddress ?? "unix:";
  }
  get remotePort(): number {
    return this.#native?.remotePort ?? 0;
  }
  get localAddress(): string {
    return this.#native?.localAddress ?? "unix:";
  }
  get localPort(): number {
    return this.#native?.localPort ?? 0;
  }
}

/**
 * What the kernel has not taken. Chunks have up to 512 KiB, and a view keeps all of one: a small rest is copied, so
 * that what a slow client makes wait is what it costs.
 */
function rest(chunk: Buffer, start: number, end: number): Buffer {
  const isSmall = 2 * (end - start) <= chunk.buffer.byteLength;
  return isSmall ? Buffer.from(chunk.subarray(start, end)) : chunk.subarray(start, end);
}
