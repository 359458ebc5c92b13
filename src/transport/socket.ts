/**
 * One TCP or unix connection as the data plane sees it, encrypted or not: over `node:net`, over Bun, or in memory for
 * simulation.
 */
import type { ClientTls, ServerTls } from "./tls/context.ts";
import type { TlsSession } from "./tls/session.ts";

/** Receives the events of a socket. The owner may change during a connection's life: `socket.handler = …`. */
export interface SocketHandler {
  /**
   * An outgoing connection is up. Of one that has come to a listener with TLS: its handshake is over, and `tls` is
   * known. Of one without: never called.
   */
  onConnect(): void;
  /** Bytes have arrived. They stay valid as long as they are referenced. */
  onData(chunk: Buffer): void;
  /** All pending bytes have been sent, after `pendingBytes` was above zero. */
  onDrain(): void;
  /** The peer sent FIN: it sends no more. */
  onEnd(): void;
  /** The connection is closed. Called last and exactly once; `error` is what ended it, if anything went wrong. */
  onClose(error: Error | undefined): void;
}

export interface Socket {
  handler: SocketHandler;
  /**
   * Set before `onConnect`. Undefined = the connection is not encrypted (yet); `missing` = it should be, and the client
   * speaks plain text.
   */
  readonly tls: TlsSession | "missing" | undefined;
  /**
   * Sends `chunk[start, end)`, or all of it, in order. Afterwards `pendingBytes === 0` means that the kernel has the
   * bytes and the memory may be reused; otherwise the socket still refers to it. Offsets rather than a view, which on
   * Bun costs as much as parsing a head.
   */
  write(chunk: Buffer, start?: number, end?: number): void;
  /** Whether `write` copies: then the memory may be reused at once. */
  readonly copies?: boolean;
  /** Bytes that the kernel has not taken yet. */
  readonly pendingBytes: number;
  /**
   * Bytes of the current write that the kernel has not taken. It falls with each byte, where `pendingBytes` may fall
   * only by whole writes: so it tells a slow reader from one that does not read.
   */
  readonly writeQueueBytes: number;
  /** No more `onData` until `resume`. */
  pause(): void;
  resume(): void;
  /** Sends FIN after what was written; with TLS, a `close_notify` before it. */
  end(): void;
  /** Closes at once, dropping what the kernel has not taken. */
  destroy(): void;
  /** As `destroy`, but the peer gets a reset instead of an end, if this kind of socket has resets. */
  reset(): void;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
}

/** A handler for sockets that have no owner yet. */
export const noHandler: SocketHandler = {
  onConnect() {},
  onData() {},
  onDrain() {},
  onEnd() {},
  onClose() {},
};

/** The bytes `[start, end)` as a view; the chunk itself when they are all of it. */
export function span(chunk: Buffer, start: number, end: number): Buffer {
  return start === 0 && end === chunk.length ? chunk : chunk.subarray(start, end);
}

export interface ListenAddress {
  readonly host?: string;
  readonly port?: number;
  readonly path?: string;
  readonly reusePort: boolean;
  readonly backlog: number;
  /** Descriptor of a socket that listens at this address already: the process before has left it. */
  readonly descriptor?: number;
  /** Asked for each connection: by what it is encrypted; undefined = it is not. */
  readonly tls?: () => ServerTls | undefined;
}

export interface ConnectAddress {
  readonly host?: string;
  readonly port?: number;
  readonly path?: string;
  /** Undefined = the connection is not encrypted. */
  readonly tls?: ClientTls | undefined;
}

export interface ListeningAddress {
  readonly host: string;
  readonly port: number;
  readonly path?: string;
}

export interface Listener {
  readonly address: ListeningAddress;
  /** Of the listening socket, for the next process; undefined = it is none of the system's. */
  readonly descriptor: number | undefined;
  /** Stops accepting; open connections stay, and so does the file of a unix socket. */
  close(): void;
}

export interface Transport {
  /** Rejects with the system's error (`EADDRINUSE`, `EACCES`, …). */
  listen(address: ListenAddress, onSocket: (socket: Socket) => void): Promise<Listener>;
  connect(address: ConnectAddress, handler: SocketHandler): Socket;
}
