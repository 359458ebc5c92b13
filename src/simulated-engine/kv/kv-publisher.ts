/**
 * Publishes what enters and leaves the prefix cache, as vLLM's `ZmqEventPublisher` does: a PUB whose messages are
 * topic, sequence number (8 bytes) and batch, and a ROUTER that replays the last batches from a sequence number on,
 * with an empty part before; a message with the number -1 ends the replay.
 */

import { createConnection, createServer, type Server, type Socket } from "node:net";
import { encode } from "@msgpack/msgpack";
import { systemClock } from "../clock.ts";
import { greeting, MessageReader, message, ready } from "./zmtp.ts";

export interface KvStoredEvent {
  readonly hashes: readonly bigint[];
  readonly parent: bigint | undefined;
  readonly tokens: readonly number[];
  readonly blockTokens: number;
}

export interface KvPublisherOptions {
  readonly topic?: string;
  /** Batches that can be replayed. */
  readonly bufferSteps?: number;
  /** As up to vLLM 0.25: events are arrays, not maps, and replays leave the topic out. */
  readonly isOlder?: boolean;
  /** vLLM counts batches from 0, llm-d-inference-sim from 1. */
  readonly firstSeq?: number;
  /** Milliseconds since 1970. */
  readonly nowMs?: () => number;
}

const reconnectMs = 100;

export class KvPublisher {
  readonly #topic: Buffer;
  readonly #bufferSteps: number;
  readonly #isOlder: boolean;
  readonly #nowMs: () => number;
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #subscribers = new Map<Socket, string>();
  readonly #buffer: { readonly seq: number; readonly payload: Uint8Array }[] = [];
  #events: unknown[] = [];
  #seq: number;
  #isClosed = false;

  constructor({
    topic = "",
    bufferSteps = 10_000,
    isOlder = false,
    firstSeq = 0,
    nowMs = systemClock.wallMs,
  }: KvPublisherOptions = {}) {
    this.#topic = Buffer.from(topic);
    this.#bufferSteps = bufferSteps;
    this.#isOlder = isOlder;
    this.#seq = firstSeq;
    this.#nowMs = nowMs;
  }

  /** Sockets that have subscribed. */
  get subscriptions(): number {
    return this.#subscribers.size;
  }

  /** Resolves to the port of the PUB. */
  listen(port: number, host: string): Promise<number> {
    return this.#listen(port, host, "PUB", (socket, [first]) => this.#subscribe(socket, first));
  }

  /** Dials out to a subscriber, and again whenever the connection ends, as with an endpoint without `*`. */
  connect(port: number, host: string): void {
    if (this.#isClosed) return;
    const socket = createConnection({ port, host });
    this.#accept(socket, "PUB", (_, [first]) => this.#subscribe(socket, first));
    socket.on("close", () => setTimeout(() => this.connect(port, host), reconnectMs).unref());
  }

  /** Resolves to the port of the ROUTER. */
  listenForReplay(port: number, host: string): Promise<number> {
    return this.#listen(port, host, "ROUTER", (socket, parts) => {
      const start = parts.at(-1);
      if (start?.length !== 8) return;
      const from = Number(start.readBigUInt64BE());
      const empty = Buffer.alloc(0);
      const say = (topic: Buffer, seq: number, payload: Uint8Array): void => {
        const parts = [number(seq), payload];
        socket.write(message([empty, ...(this.#isOlder ? [] : [topic]), ...parts]));
      };
      for (const { seq, payload } of this.#buffer) if (seq >= from) say(this.#topic, seq, payload);
      say(empty, -1, empty);
    });
  }

  stored({ hashes, parent, tokens, blockTokens }: KvStoredEvent): void {
    const plain = hashes.map(() => null);
    this.#add({
      type: "BlockStored",
      block_hashes: hashes,
      parent_block_hash: parent ?? null,
      token_ids: tokens,
      block_size: blockTokens,
      lora_id: null,
      medium: "GPU",
      lora_name: null,
      extra_keys: plain,
    });
  }

  removed(hashes: readonly bigint[]): void {
    this.#add({ type: "BlockRemoved", block_hashes: hashes, medium: "GPU" });
  }

  cleared(): void {
    this.#add({ type: "AllBlocksCleared" });
  }

  /**
   * Publishes the events since the last call, if any, as one batch.
   * @param isLost no subscriber receives it, as when a queue is full
   */
  publish(isLost = false): void {
    if (this.#events.length === 0) return;
    const batch = [this.#nowMs() / 1000, this.#events, 0];
    const payload = encode(batch, { useBigInt64: true });
    const seq = this.#seq;
    this.#events = [];
    this.#seq += 1;
    this.#buffer.push({ seq, payload });
    if (this.#buffer.length > this.#bufferSteps) this.#buffer.shift();
    if (isLost) return;
    const bytes = message([this.#topic, number(seq), payload]);
    for (const [socket, topic] of this.#subscribers)
      if (this.#topic.toString("latin1").startsWith(topic)) socket.write(bytes);
  }

  close(): void {
    this.#isClosed = true;
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #subscribe(socket: Socket, first: Buffer | undefined): void {
    if (first?.[0] === 1) this.#subscribers.set(socket, first.toString("latin1", 1));
    else if (first?.[0] === 0) this.#subscribers.delete(socket);
  }

  #add(event: Readonly<Record<string, unknown>>): void {
    this.#events.push(this.#isOlder ? Object.values(event) : event);
  }

  async #listen(
    port: number,
    host: string,
    type: string,
    onMessage: (socket: Socket, parts: readonly Buffer[]) => void,
  ): Promise<number> {
    const server = createServer((socket) => this.#accept(socket, type, onMessage));
    this.#servers.push(server);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, host, resolve);
    });
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : port;
  }

  #accept(
    socket: Socket,
    type: string,
    onMessage: (socket: Socket, parts: readonly Buffer[]) => void,
  ): void {
    const reader = new MessageReader();
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#sockets.delete(socket);
      this.#subscribers.delete(socket);
    });
    socket.write(greeting);
    socket.write(ready(type));
    socket.on("data", (chunk: Buffer) => {
      try {
        for (const parts of reader.push(chunk)) onMessage(socket, parts);
      } catch {
        socket.destroy();
      }
    });
  }
}

function number(seq: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(seq));
  return bytes;
}
