/**
 * The transport over Bun's own sockets, with the behaviour of `tcp.ts`. Bun's `node:net` is a layer over these: without
 * it a relayed chunk costs about a third less of user time.
 */
import { closeSync, openSync } from "node:fs";
import { BunSocket, type NativeHandlers, type NativeSocket } from "./bun-socket.ts";
import { descriptorReserve } from "./descriptor-reserve.ts";
import {
  type ListenAddress,
  type Listener,
  type ListeningAddress,
  noHandler,
  type Socket,
  type Transport,
} from "./socket.ts";
import { BunTlsClientSocket, BunTlsServerSocket, connectSecure } from "./tls/bun-tls.ts";
import { listenAtPath } from "./unix-path.ts";

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

/** Bun reports a connection for which there is no file descriptor as refused. @returns the error that it was then */
function missingDescriptor(): Error | undefined {
  try {
    closeSync(openSync("/dev/null", "r"));
    return undefined;
  } catch (error) {
    return error as Error;
  }
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
      const tls = address.tls?.();
      if (tls !== undefined) {
        const socket = new BunTlsServerSocket(noHandler);
        socket.start(native, tls);
        onSocket(socket);
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
    const { tls, path, host, port } = address;
    const socket = tls === undefined ? new BunSocket(handler) : new BunTlsClientSocket(handler);
    if (descriptorReserve.isExhausted) {
      // Those of the reserve are for connections that come.
      socket.closed(Object.assign(new Error("too many open files"), { code: "EMFILE" }));
      return socket;
    }
    const secure = tls && connectSecure(socket as BunTlsClientSocket, tls);
    const handlers: NativeHandlers = {
      ...(secure?.handlers ?? plainEvents(socket)),
      connectError(_native, error) {
        socket.closed(missingDescriptor() ?? error);
      },
    };
    const where = path === undefined ? { hostname: host, port } : { unix: path };
    Bun.connect({
      ...where,
      data: socket,
      socket: handlers,
      ...(secure && { tls: secure.tls }),
    }).catch((error: Error) => socket.closed(error));
    return socket;
  },
};

/**
 * Closures rather than `native.data`, which is a call into the runtime: engines' sockets carry every streamed chunk.
 */
function plainEvents(socket: BunSocket): NativeHandlers {
  return {
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
  };
}
