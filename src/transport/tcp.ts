/** The transport over `node:net`, for Node and Bun. */
import net from "node:net";
import { descriptorOf } from "./descriptor.ts";
import { descriptorReserve } from "./descriptor-reserve.ts";
import { readTurn, type TurnTaker } from "./read-turn.ts";
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
import { acceptTls, NodeTlsSocket } from "./tls/node-tls.ts";
import { listenAtPath } from "./unix-path.ts";

class TcpSocket implements Socket, TurnTaker {
  handler: SocketHandler;
  readonly tls = undefined;
  readonly #socket: net.Socket;
  #isPaused = false;
  #error: Error | undefined;

  constructor(socket: net.Socket, handler: SocketHandler) {
    this.#socket = socket;
    this.handler = handler;
    socket.on("drain", () => this.handler.onDrain());
    socket.on("end", () => this.handler.onEnd());
    socket.on("error", (error) => {
      this.#error = error;
    });
    socket.on("close", () => this.handler.onClose(this.#error));
  }

  received(chunk: Buffer): void {
    this.handler.onData(chunk);
    readTurn.took(this, chunk.length);
  }
  holdTurn(): void {
    this.#socket.pause();
  }
  takeTurn(): void {
    if (!this.#isPaused) this.#socket.resume();
  }

  write(chunk: Buffer, start = 0, end = chunk.length): void {
    this.#socket.write(span(chunk, start, end));
  }
  get pendingBytes(): number {
    return this.#socket.writableLength;
  }
  get writeQueueBytes(): number {
    // What Node's own `socket.setTimeout` uses; there is no public API for it.
    const { _handle: handle } = this.#socket as { _handle?: { writeQueueSize?: number } | null };
    return handle?.writeQueueSize ?? 0;
  }
  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }
  resume(): void {
    this.#isPaused = false;
    this.#socket.resume();
  }
  end(): void {
    this.#socket.end();
  }
  destroy(): void {
    this.#socket.destroy();
  }
  reset(): void {
    // Unix sockets have no reset: Node throws.
    if (this.#socket.remotePort === undefined) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }
  get remoteAddress(): string {
    return this.#socket.remoteAddress ?? "unix:";
  }
  get remotePort(): number {
    return this.#socket.remotePort ?? 0;
  }
  get localAddress(): string {
    return this.#socket.localAddress ?? "unix:";
  }
  get localPort(): number {
    return this.#socket.localPort ?? 0;
  }
}

/**
 * Node emits `drain` only after more bytes than this were pending; low, so that a slow client's engine resumes in time.
 */
const highWaterMark = 65_536;

/**
 * Engines are read into this one, and what came is copied: Node's own buffer per read has 64 KiB, is zeroed, and leaves
 * a hole in glibc's heap when it is cut to what came; and a socket with it is read no more at once when it is paused.
 */
const readBuffer = Buffer.allocUnsafeSlow(65_536);

export const tcp: Transport = {
  listen(address: ListenAddress, onSocket: (socket: Socket) => void): Promise<Listener> {
    const { path, descriptor } = address;
    if (path === undefined || descriptor !== undefined) return listen(address, onSocket);
    return listenAtPath(path, (name) => listen({ ...address, path: name }, onSocket));
  },

  connect({ path, host, port, tls }, handler): Socket {
    if (tls !== undefined) {
      const where = path === undefined ? { host, port, noDelay: true, highWaterMark } : { path };
      const secure = new NodeTlsSocket(net.connect(where as net.NetConnectOpts), handler);
      secure.connect(tls);
      return secure;
    }
    const callback = (bytes: number): boolean => {
      wrapped.received(Buffer.from(readBuffer.subarray(0, bytes)));
      return true;
    };
    const where = path === undefined ? { host, port, noDelay: true, highWaterMark } : { path };
    const options = { ...where, onread: { buffer: readBuffer, callback } };
    const socket = net.connect(options as net.NetConnectOpts);
    const wrapped = new TcpSocket(socket, handler);
    socket.once("connect", () => wrapped.handler.onConnect());
    return wrapped;
  },
};

function listen(address: ListenAddress, onSocket: (socket: Socket) => void): Promise<Listener> {
  const server = net.createServer(
    { allowHalfOpen: true, noDelay: true, highWaterMark },
    (socket) => {
      if (descriptorReserve.isExhausted) {
        socket.destroy();
        return;
      }
      const tls = address.tls?.();
      if (tls !== undefined) {
        acceptTls(socket, tls, onSocket);
        return;
      }
      const wrapped = new TcpSocket(socket, noHandler);
      socket.on("data", (chunk: Buffer) => wrapped.received(chunk));
      onSocket(wrapped);
    },
  );
  const { promise, resolve, reject } = withResolvers<Listener>();
  server.once("error", reject);
  const listening = () => {
    server.off("error", reject);
    // Running out of file descriptors must not end the process; the listener accepts again once some are free.
    server.on("error", () => {});
    const close = () => void server.close();
    const bound = boundAddress(server, address);
    resolve({ address: bound, descriptor: descriptorOf(server), close });
  };
  const { descriptor, host, port, path, reusePort, backlog } = address;
  // For a descriptor Node reads the backlog only here.
  if (descriptor !== undefined) server.listen({ fd: descriptor }, backlog, listening);
  else if (path !== undefined) server.listen({ path, backlog }, listening);
  else {
    const options = { host, port, backlog, ...(reusePort ? { reusePort } : {}) };
    server.listen(options as net.ListenOptions, listening);
  }
  return promise;
}

function boundAddress(server: net.Server, requested: ListenAddress): ListeningAddress {
  const bound = server.address();
  if (bound === null || typeof bound === "string") {
    return { host: "", port: 0, ...(requested.path === undefined ? {} : { path: requested.path }) };
  }
  return { host: bound.address, port: bound.port };
}

/** `Promise.withResolvers` needs Node 22. */
function withResolvers<T>() {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((done, failed) => {
    resolve = done;
    reject = failed;
  });
  return { promise, resolve, reject };
}
