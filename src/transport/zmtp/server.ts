/**
 * A ZeroMQ socket over `node:net` that peers connect to, and that only receives: a ROUTER, which takes what peers send,
 * or a SUB, which subscribes to all that publishers publish.
 */
import { createServer, type Server, type Socket } from "node:net";
import { zmtpHandshakeTimeoutMs } from "../../limits.ts";
import { descriptorOf } from "../descriptor.ts";
import { frames, greeting, ready, ZmtpError, ZmtpReader } from "./reader.ts";

/** Socket types that may connect to each kind of socket. */
const peers = { ROUTER: ["DEALER", "REQ", "ROUTER"], SUB: ["PUB", "XPUB"] } as const;

/** In ZMTP 3.0 a subscription is a message: 1, then the start of topics. */
const subscription = frames([Buffer.from([1])]);

export interface ZmtpServerOptions {
  readonly type: keyof typeof peers;
  readonly connectionsMax: number;
  readonly messageBytesMax: number;
  /** A peer that says nothing for so long is disconnected. 0 = never, once its handshake is done. */
  readonly idleTimeoutMs: number;
}

/** One peer that has connected. */
export interface ZmtpPeer {
  /** Its IP address. */
  readonly address: string;
  /** Disconnects it. `closed` follows. */
  close(): void;
}

export interface ZmtpServerEvents {
  /** The handshake is done. A SUB has subscribed. */
  connected?(peer: ZmtpPeer): void;
  /** Called with the parts of each message. */
  message(peer: ZmtpPeer, parts: readonly Buffer[]): void;
  /** After `connected`. */
  closed?(peer: ZmtpPeer): void;
  /** A peer was rejected; `why` is half a sentence. */
  refused(address: string, why: string): void;
}

const keepAliveMs = 15_000;

export class ZmtpServer {
  readonly #options: ZmtpServerOptions;
  readonly #events: ZmtpServerEvents;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(options: ZmtpServerOptions, events: ZmtpServerEvents) {
    this.#options = options;
    this.#events = events;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = options.connectionsMax;
  }

  /** Of the listening socket, for the process that takes it over. */
  get descriptor(): number | undefined {
    return descriptorOf(this.#server);
  }

  /**
   * Resolves to the port. Rejects with the system's error.
   * @param host undefined = all addresses
   * @param descriptor of a socket that listens there already
   */
  listen(host: string | undefined, port: number, descriptor?: number): Promise<number> {
    const place = host === undefined ? { port } : { host, port };
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(descriptor === undefined ? place : { fd: descriptor }, () => {
        this.#server.off("error", reject);
        // After a later failure, such as a connection that could not be accepted, the peer tries again.
        this.#server.on("error", () => {});
        const address = this.#server.address();
        resolve(typeof address === "object" && address !== null ? address.port : port);
      });
    });
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(socket: Socket): void {
    const { type, messageBytesMax } = this.#options;
    const reader = new ZmtpReader(messageBytesMax);
    const peer = { address: socket.remoteAddress ?? "", close: () => socket.destroy() };
    let isReady = false;
    this.#sockets.add(socket);
    socket.on("close", () => {
      this.#sockets.delete(socket);
      if (isReady) this.#events.closed?.(peer);
    });
    socket.on("error", () => {});
    socket.unref();
    // Publishers may be silent for hours: TCP keep-alive detects a machine that has died.
    socket.setKeepAlive(true, keepAliveMs);
    socket.setTimeout(zmtpHandshakeTimeoutMs, () => socket.destroy());
    socket.write(Buffer.concat([greeting(), ready(type)]));
    socket.on("data", (chunk: Buffer) => {
      try {
        reader.push(chunk);
        if (reader.peerType !== undefined && !isReady) {
          this.#onHandshake(socket, reader.peerType);
          isReady = true;
          this.#events.connected?.(peer);
        }
      } catch (error) {
        if (!(error instanceof ZmtpError)) throw error;
        this.#events.refused(peer.address, error.message);
        socket.destroy();
        return;
      }
      for (const message of reader.messages.splice(0)) {
        // The handler of one message may close this connection.
        if (socket.destroyed) return;
        this.#events.message(peer, message);
      }
    });
  }

  #onHandshake(socket: Socket, peerType: string): void {
    const { type, idleTimeoutMs } = this.#options;
    if (!(peers[type] as readonly string[]).includes(peerType))
      throw new ZmtpError(`its socket is a ${peerType.slice(0, 16)}`);
    socket.setTimeout(idleTimeoutMs);
    if (type === "SUB") socket.write(subscription);
  }
}
