/**
 * The transport over Bun's own sockets, with the behaviour of `tcp.ts`. Bun's `node:net` is a layer over these: without
 * it a relayed chunk costs about a third less of user time.
 */
import { closeSync, openSync } from "node:fs";
import { descriptorReserve } from "./descriptor-reserve.ts";
import {
  type ListenAddress,
  type Listener,
  type ListeningAddress,
  noHandler,
  type Socket,
  type SocketHandler,
  span,
  type Transport,
} from "./socket.ts";
import { listenAtPath } from "./unix-path.ts";

/** The part of Bun's API that is used here; its own types would clash with Node's. */
interface NativeSocket {
  data: BunSocket;
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
interface NativeHandlers {
  open(socket: NativeSocket): void;
  data(socket: NativeSocket, chunk: Buffer): void;
  drain(socket: NativeSocket): void;
  end(socket: NativeSocket): void;
  close(socket: NativeSocket, error?: Error): void;
  error(socket: NativeSocket, error: Error): void;
  connectError?(socket: NativeSocket, error: Error): void;
}
interface NativeListener {
  readonly port?: number;
  readonly fd: number;
  stop(closeConnections?: boolean): void;
}
interface BunApi {
  listen(options: object): NativeListener;
  connect(options: object): Promise<NativeSocket>;
}
declare const Bun: BunApi;

class BunSocket implements Socket {
  handler: SocketHandler;
  #native: NativeSocket | undefined;
  readonly #queue: Buffer[] = [];
  #pendingBytes = 0;
  #ending = false;
  #closed = false;
  #error: Error | undefined;

  constructor(handler: SocketHandler) {
    this.handler = handler;
  }

  opened(native: NativeSocket): void {
    this.#native = native;
    native.data = this;
    native.setNoDelay(true);
    if (this.#closed) native.close();
  }

  write(chunk: Buffer, start = 0, end = chunk.length): void {
    if (this.#closed || this.#ending) return;
    if (this.#pendingBytes > 0 || this.#native === undefined) {
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
    if (this.#pendingBytes === 0) this.#native?.shutdown();
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

/** Bun reports a connection for which there is no file descriptor as refused. @returns the error that it was then */
function missingDescriptor(): Error | undefined {
  try {
    closeSync(openSync("/dev/null", "r"));
    return undefined;
  } catch (error) {
    return error as Error;
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

/** For accepted sockets, which share their handlers. */
const events = {
  data: (native: NativeSocket, chunk: Buffer) => native.data.handler.onData(chunk),
  drain: (native: NativeSocket) => native.data.drained(),
  end: (native: NativeSocket) => native.data.handler.onEnd(),
  close: (native: NativeSocket, error?: Error) => native.data?.closed(error),
  error: (native: NativeSocket, error: Error) => native.data?.failed(error),
};

async function listen(
  address: ListenAddress,
  onSocket: (socket: Socket) => void,
): Promise<Listener> {
  const handlers: NativeHandlers = {
    ...events,
    open(native) {
      if (descriptorReserve.isExhausted) {
        native.terminate();
        return;
      }
      const socket = new BunSocket(noHandler);
      socket.opened(native);
      onSocket(socket);
    },
  };
  const { path, host, port, reusePort, backlog, descriptor } = address;
  let where: object = { hostname: host, port, reusePort, backlog };
  if (descriptor !== undefined) where = { fd: descriptor };
  else if (path !== undefined) where = { unix: path };
  const listener = Bun.listen({ ...where, allowHalfOpen: true, socket: handlers });
  const bound: ListeningAddress =
    path === undefined
      ? // Bun does not say where a socket listens that it was given.
        { host: host!, port: listener.port ?? port! }
      : { host: "", port: 0, path };
  return { address: bound, descriptor: listener.fd, close: () => listener.stop(false) };
}

export const bun: Transport = {
  listen(address: ListenAddress, onSocket: (socket: Socket) => void): Promise<Listener> {
    const { path, descriptor } = address;
    if (path === undefined || descriptor !== undefined) return listen(address, onSocket);
    return listenAtPath(path, (name) => listen({ ...address, path: name }, onSocket));
  },

  connect(address, handler): Socket {
    const socket = new BunSocket(handler);
    if (descriptorReserve.isExhausted) {
      // Those of the reserve are for connections that come.
      socket.closed(Object.assign(new Error("too many open files"), { code: "EMFILE" }));
      return socket;
    }
    // Closures rather than `native.data`, which is a call into the runtime: engines' sockets carry every streamed
    // chunk.
    const handlers: NativeHandlers = {
      data: (_native, chunk) => socket.handler.onData(chunk),
      drain: () => socket.drained(),
      end: () => socket.handler.onEnd(),
      close: (_native, error) => socket.closed(error),
      error: (_native, error) => socket.failed(error),
      open(native) {
        socket.opened(native);
        socket.handler.onConnect();
        socket.flush();
      },
      connectError(_native, error) {
        socket.closed(missingDescriptor() ?? error);
      },
    };
    const where =
      address.path === undefined
        ? { hostname: address.host, port: address.port }
        : { unix: address.path };
    Bun.connect({ ...where, data: socket, socket: handlers }).catch((error: Error) =>
      socket.closed(error),
    );
    return socket;
  },
};
