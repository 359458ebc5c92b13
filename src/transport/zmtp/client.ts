/**
 * A ZeroMQ socket that connects to one peer and reconnects when the connection ends: a SUB, which receives what the
 * peer publishes, or a DEALER, which asks a ROUTER. Messages of either side are lost while there is no connection.
 */
import { createConnection, type Socket } from "node:net";
import { zmtpHandshakeTimeoutMs, zmtpReconnectMaxMs, zmtpReconnectMs } from "../../limits.ts";
import { frames, greeting, ready, ZmtpError, ZmtpReader } from "./reader.ts";

/** Socket types that each kind of socket may connect to. */
const peers = { SUB: ["PUB", "XPUB"], DEALER: ["ROUTER", "REP", "DEALER"] } as const;

export interface ZmtpClientOptions {
  readonly type: keyof typeof peers;
  readonly host: string;
  readonly port: number;
  /** A SUB subscribes to messages whose first part starts with this. */
  readonly topic?: string;
  readonly messageBytesMax: number;
}

export interface ZmtpClientEvents {
  /** The handshake is done; a SUB has sent its subscription. */
  connected(): void;
  /** @param parts of one message */
  message(parts: readonly Buffer[]): void;
  /** The connection ended or failed, and is tried again. `why` is half a sentence. */
  lost(why: string): void;
}

const keepAliveMs = 15_000;

export class ZmtpClient {
  readonly #options: ZmtpClientOptions;
  readonly #events: ZmtpClientEvents;
  #socket: Socket | undefined;
  #isReady = false;
  #retry: NodeJS.Timeout | undefined;
  #retryMs = zmtpReconnectMs;
  #isClosed = false;

  constructor(options: ZmtpClientOptions, events: ZmtpClientEvents) {
    this.#options = options;
    this.#events = events;
  }

  /** Connects, and reconnects until `close`. */
  open(): void {
    const { host, port } = this.#options;
    const reader = new ZmtpReader(this.#options.messageBytesMax);
    const socket = createConnection({ host, port });
    let why = "the connection was closed";
    this.#socket = socket;
    socket.unref();
    socket.setNoDelay(true);
    // Publishers may be silent for hours: TCP keep-alive detects a machine that has died.
    socket.setKeepAlive(true, keepAliveMs);
    socket.setTimeout(zmtpHandshakeTimeoutMs, () => {
      if (this.#isReady) return;
      why = "no greeting arrived";
      socket.destroy();
    });
    socket.on("connect", () => {
      socket.write(Buffer.concat([greeting(), ready(this.#options.type)]));
    });
    socket.on("data", (chunk: Buffer) => {
      try {
        this.#read(socket, reader, chunk);
      } catch (error) {
        if (!(error instanceof ZmtpError)) throw error;
        why = error.message;
        socket.destroy();
      }
    });
    socket.on("error", ({ message }) => {
      why = message;
    });
    socket.on("close", () => {
      if (this.#socket === socket) this.#lost(why);
    });
  }

  send(parts: readonly Uint8Array[]): void {
    if (this.#isReady) this.#socket?.write(frames(parts));
  }

  /** Closes the connection; no event follows. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
  }

  #read(socket: Socket, reader: ZmtpReader, chunk: Buffer): void {
    reader.push(chunk);
    if (reader.peerType === undefined) return;
    if (!this.#isReady) this.#onHandshake(socket, reader.peerType);
    for (const message of reader.messages.splice(0)) {
      // The handler of one message may close this client.
      if (this.#socket !== socket) return;
      this.#events.message(message);
    }
  }

  #onHandshake(socket: Socket, peerType: string): void {
    const { type, topic = "" } = this.#options;
    const isPeer = (peers[type] as readonly string[]).includes(peerType);
    if (!isPeer) throw new ZmtpError(`its socket is a ${peerType.slice(0, 16)}`);
    this.#isReady = true;
    this.#retryMs = zmtpReconnectMs;
    socket.setTimeout(0);
    // In ZMTP 3.0 a subscription is a message: 1, then the topic.
    if (type === "SUB") this.send([Buffer.concat([Buffer.from([1]), Buffer.from(topic)])]);
    this.#events.connected();
  }

  #lost(why: string): void {
    this.#socket = undefined;
    this.#isReady = false;
    if (this.#isClosed) return;
    this.#retry = setTimeout(() => this.open(), this.#retryMs);
    this.#retry.unref();
    this.#retryMs = Math.min(2 * this.#retryMs, zmtpReconnectMaxMs);
    this.#events.lost(why);
  }
}
