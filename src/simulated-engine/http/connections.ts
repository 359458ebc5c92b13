/** The open connections of an engine's HTTP port: counts them, and closes idle ones as uvicorn does. */

import type { Socket } from "node:net";
import type { Clock } from "../clock.ts";

interface Connection {
  /** Requests received whose response is not complete. */
  pending: number;
  /** It carried a `/debug` request: it outlives a refusal, so that the refusal can be ended. */
  control: boolean;
  cancelIdle: (() => void) | undefined;
}

export class Connections {
  /** Connections ever accepted, without those that turned out to carry `/debug`. */
  accepted = 0;
  readonly #clock: Clock;
  readonly #keepAliveMs: number;
  readonly #open = new Map<Socket, Connection>();

  constructor(clock: Clock, keepAliveMs: number) {
    this.#clock = clock;
    this.#keepAliveMs = keepAliveMs;
  }

  get open(): number {
    return this.#open.size;
  }

  add(socket: Socket): void {
    this.accepted++;
    this.#open.set(socket, { pending: 0, control: false, cancelIdle: undefined });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#open.get(socket)?.cancelIdle?.();
      this.#open.delete(socket);
    });
  }

  onRequest(socket: Socket, path: string): void {
    const connection = this.#open.get(socket);
    if (connection === undefined) return;
    connection.pending++;
    if (!connection.control && path.startsWith("/debug")) {
      connection.control = true;
      this.accepted--;
    }
    connection.cancelIdle?.();
    connection.cancelIdle = undefined;
  }

  onResponse(socket: Socket): void {
    const connection = this.#open.get(socket);
    if (connection === undefined) return;
    connection.pending--;
    if (connection.pending > 0 || this.#keepAliveMs === 0 || socket.destroyed) return;
    connection.cancelIdle = this.#clock.after(this.#keepAliveMs, () => socket.destroySoon());
  }

  closeIdle(): void {
    for (const [socket, { pending, control }] of this.#open) {
      if (pending === 0 && !control) socket.destroy();
    }
  }

  closeAll(): void {
    for (const socket of this.#open.keys()) socket.destroy();
  }
}
