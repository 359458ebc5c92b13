/**
 * Registers the engine at a proxy with periodic pings, as vLLM's P2P NCCL and MoRI-IO connectors do: one MessagePack
 * map per ping, from a ZeroMQ DEALER.
 */

import { createConnection, type Socket } from "node:net";
import { encode } from "@msgpack/msgpack";
import { z } from "zod";
import type { Clock } from "../../clock.ts";
import { frame, greeting, ready } from "../../kv/zmtp.ts";

/** The settings of dialects that register. */
export const registrationSettings = {
  /** `host:port` of the proxy's socket; without it the engine does not register. */
  proxy: z
    .string()
    .regex(/^.+:\d{1,5}$/, "it must be host:port")
    .optional(),
  pingMs: z.coerce.number().int().min(1).default(3_000),
} as const;

/** A greeting and the shortest command: the proxy's handshake has arrived. */
const handshakeBytes = 66;

export class ProxyRegistration {
  readonly #proxy: string;
  readonly #pingMs: number;
  readonly #clock: Clock;
  readonly #message: () => { readonly zmq_address: string };
  #socket: Socket | undefined;
  #received = 0;
  #cancelPing: (() => void) | undefined;

  /** @param message called for each ping */
  constructor(
    { proxy, pingMs }: { readonly proxy: string; readonly pingMs: number },
    clock: Clock,
    message: () => { readonly zmq_address: string },
  ) {
    this.#proxy = proxy;
    this.#pingMs = pingMs;
    this.#clock = clock;
    this.#message = message;
  }

  start(): void {
    if (this.#socket === undefined) this.#connect();
    else if (this.#received >= handshakeBytes) this.#socket.write(frame(encode(this.#message())));
    this.#cancelPing = this.#clock.after(this.#pingMs, () => this.start());
  }

  close(): void {
    this.#cancelPing?.();
    this.#socket?.destroy();
  }

  /** If the proxy cannot be reached, the next ping connects again. */
  #connect(): void {
    const colon = this.#proxy.lastIndexOf(":");
    const host = this.#proxy.slice(0, colon);
    const socket = createConnection({ host, port: Number(this.#proxy.slice(colon + 1)) });
    this.#socket = socket;
    this.#received = 0;
    socket.write(greeting);
    socket.write(ready("DEALER", this.#message().zmq_address));
    socket.on("data", (chunk: Buffer) => {
      const before = this.#received;
      this.#received += chunk.length;
      if (before < handshakeBytes && this.#received >= handshakeBytes) {
        socket.write(frame(encode(this.#message())));
      }
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#socket = undefined;
    });
  }
}
