/**
 * Connections that come while their configuration is being prepared. They wait unread: once the sockets listen, the
 * rest of the preparation may still take a while or fail.
 */
import { noHandler, type Socket } from "../../transport/socket.ts";

export type Accept = (socket: Socket, listenKey: string) => void;

export class Arrivals {
  readonly #accept: Accept;
  /** With the keys of their listeners; undefined = none waits any more. */
  #waiting: Map<Socket, string> | undefined = new Map();

  constructor(accept: Accept) {
    this.#accept = accept;
  }

  add(socket: Socket, listenKey: string): void {
    const waiting = this.#waiting;
    if (waiting === undefined) {
      this.#accept(socket, listenKey);
      return;
    }
    waiting.set(socket, listenKey);
    socket.handler = { ...noHandler, onClose: () => void waiting.delete(socket) };
    socket.pause();
  }

  /** The configuration is in force. */
  begin(): void {
    for (const [socket, listenKey] of this.#end()) {
      this.#accept(socket, listenKey);
      socket.resume();
    }
  }

  /** There will be no such configuration. */
  refuse(): void {
    for (const [socket] of this.#end()) socket.destroy();
  }

  #end(): ReadonlyMap<Socket, string> {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting ?? new Map();
  }
}
