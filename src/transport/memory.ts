/**
 * The transport in memory, for simulations: in virtual time, with an explicit queue of tasks and a random source that
 * is handed in, so that the same seed gives the same run.
 */
import type { Clock } from "./clock.ts";
import { type MemoryOptions, MemorySocket, type SocketNetwork } from "./memory-socket.ts";
import {
  type ListenAddress,
  type Listener,
  noHandler,
  type SocketHandler,
  type Transport,
} from "./socket.ts";

interface Task {
  readonly atMs: number;
  run(): void;
}

export class MemoryNetwork implements Transport, Clock, SocketNetwork {
  readonly options: MemoryOptions;
  /** Sockets that are not closed. */
  readonly open = new Set<MemorySocket>();
  /** Addresses, as `host:port` or path, where a connect is refused, gets no response, or has no descriptor here. */
  readonly faults = new Map<string, "refused" | "silence" | "EMFILE">();
  /** Latest first; of the same time, the one that was added last comes first. */
  readonly #tasks: Task[] = [];
  readonly #listeners = new Map<string, (socket: MemorySocket) => void>();
  #nowMs = 0;
  #lastPort = 49_152;

  constructor(options: MemoryOptions) {
    this.options = options;
  }

  nowMs(): number {
    return this.#nowMs;
  }
  wallMs(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }
  defer(task: () => void): void {
    this.after(0, task);
  }

  after(delayMs: number, run: () => void): void {
    const atMs = this.#nowMs + delayMs;
    let low = 0;
    let high = this.#tasks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#tasks[middle]!.atMs > atMs) low = middle + 1;
      else high = middle;
    }
    this.#tasks.splice(low, 0, { atMs, run });
  }

  /** Runs the tasks up to that time, or until `done` returns true. */
  runUntil(untilMs: number, done: () => boolean = () => false): void {
    while (!done()) {
      if ((this.#tasks.at(-1)?.atMs ?? Number.POSITIVE_INFINITY) > untilMs) {
        this.#nowMs = Math.max(this.#nowMs, untilMs);
        return;
      }
      const task = this.#tasks.pop()!;
      this.#nowMs = task.atMs;
      task.run();
    }
  }

  /** A random whole number, both ends included. */
  between([least, most]: readonly [number, number]): number {
    return least + Math.floor(this.options.random() * (most - least + 1));
  }

  listen(address: ListenAddress, onSocket: (socket: MemorySocket) => void): Promise<Listener> {
    const { host = "", path } = address;
    if (address.port === 0) this.#lastPort += 1;
    const port = address.port === 0 ? this.#lastPort : (address.port ?? 0);
    const key = path ?? `${host}:${port}`;
    if (this.#listeners.has(key)) {
      return Promise.reject(Object.assign(new Error("in use"), { code: "EADDRINUSE", errno: -98 }));
    }
    this.#listeners.set(key, onSocket);
    return Promise.resolve({
      address: { host, port, ...(path === undefined ? {} : { path }) },
      descriptor: undefined,
      close: () => void this.#listeners.delete(key),
    });
  }

  connect(address: Parameters<Transport["connect"]>[0], handler: SocketHandler): MemorySocket {
    this.#lastPort += 1;
    const { host = "unix:", port = 0 } = address;
    const from = ["127.0.0.1", this.#lastPort] as const;
    const socket = new MemorySocket(this, handler, [...from, host, port]);
    this.after(this.between(this.options.latencyMs), () => {
      const fault = this.faults.get(keyOf(address));
      const accept = this.#listeners.get(keyOf(address));
      if (socket.closed || fault === "silence") return;
      if (fault === "EMFILE") {
        socket.fail("EMFILE");
        return;
      }
      if (accept === undefined || fault === "refused") {
        socket.fail("ECONNREFUSED");
        return;
      }
      const peer = new MemorySocket(this, noHandler, [host, port, ...from]);
      socket.join(peer);
      accept(peer);
      socket.connected();
    });
    return socket;
  }
}

function keyOf({ host, port, path }: { host?: string; port?: number; path?: string }): string {
  return path ?? `${host}:${port}`;
}
