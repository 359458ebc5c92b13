/**
 * A ZeroMQ socket that connects to one peer, and again when that is gone: a SUB, which hears what the peer publishes, or a DEALER, which
 * asks a ROUTER. What is sent while there is no connection is lost, as is what the peer says meanwhile.
 */
import { createConnection, type Socket } from "node:net";
import { zmtpHandshakeTimeoutMs, zmtpReconnectMaxMs, zmtpReconnectMs } from "../../limits.ts";
import { frames, greeting, ready, ZmtpError, ZmtpReader } from "./reader.ts";

/** What each kind of socket may be connected to. */
const peers = { SUB: ["PUB", "XPUB"], DEALER: ["ROUTER", "REP", "DEALER"] } as const;

export interface ZmtpClientOptions {
  readonly type: keyof typeof peers;
  readonly host: string;
  readonly port: number;
  /** What a SUB wants to hear: messages whose first part begins so. */
  readonly topic?: string;
  readonly messageBytesMax: number;
}

export interface ZmtpClientEvents {
  /** The peer has greeted; a SUB has told it what it wants to hear. */
  connected(): void;
  /** @param parts of one message */
  message(parts: readonly Buffer[]): void;
  /** The connection has ended, or there was none; it is tried again. Half a sentence says why. */
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

  /** Connects, and stays so until `close`. */
  open(): void {
    const { host, port } = this.#options;
    const reader = new ZmtpReader(this.#options.messageBytesMax);
    const socket = createConnection({ host, port });
    let why = "the connection was closed";
    this.#socket = socket;
    socket.unref();
    socket.setNoDelay(true);
    // Publishers may be silent for hours: a machine that is gone is noticed by the system.
    socket.setKeepAlive(true, keepAliveMs);
    socket.setTimeout(zmtpHandshakeTimeoutMs, () => {
      if (this.#isReady) return;
      why = "there is no greeting";
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

  /** Nothing is heard of any more. */
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
    if (!this.#isReady) this.#greeted(socket, reader.peerType);
    for (const message of reader.messages.splice(0)) {
      // What one message leads to may be the end of this.
      if (this.#socket !== socket) return;
      this.#events.message(message);
    }
  }

  #greeted(socket: Socket, peerType: string): void {
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
