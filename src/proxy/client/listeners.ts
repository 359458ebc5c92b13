/**
 * The listening sockets of one worker. A reload keeps those whose address stays, opens new ones and closes the rest.
 */

import { describeSystemError } from "../../config/problems/system-error.ts";
import type { Config, ListenConfig } from "../../config/schema/schema.ts";
import { listenKey } from "../../config/values/listen-key.ts";
import type { Listener, ListeningAddress, Socket, Transport } from "../../transport/socket.ts";
import type { ServerTls } from "../../transport/tls/context.ts";
import { type Accept, Arrivals } from "./arrivals.ts";

/** An address could not be bound; the message is nginx's. */
export class ListenError extends Error {
  readonly code: string;
  constructor(address: string, cause: NodeJS.ErrnoException) {
    super(`bind() to ${address} failed (${describeSystemError(cause)})`);
    this.name = "ListenError";
    this.code = cause.code ?? "ELISTEN";
  }
}

/** A listening socket and its address. */
export interface ListeningSocket {
  readonly key: string;
  readonly descriptor: number;
}

export class Listeners {
  readonly #transport: Transport;
  readonly #open = new Map<string, readonly Listener[]>();
  /** By the keys of those that are encrypted. */
  #tls = new Map<string, ServerTls>();
  /** Of the process before, as far as not in use yet. */
  #inherited: readonly ListeningSocket[];

  /** @param inherited sockets that listen already: the first configuration takes those that it wants */
  constructor(transport: Transport, inherited: readonly ListeningSocket[] = []) {
    this.#transport = transport;
    this.#inherited = inherited;
  }

  /**
   * Opens what a configuration asks for and is not open. When one fails, those just opened are closed again, and the
   * old ones stay. `commit` accepts what has come meanwhile, and closes the ones that are not wanted any more; `undo`
   * closes those just opened.
   * @param tls of the addresses that are encrypted
   */
  async prepare(
    config: Config,
    accept: Accept,
    tls: ReadonlyMap<string, ServerTls> = new Map(),
  ): Promise<{ commit(): void; undo(): void }> {
    const arrivals = new Arrivals(accept);
    const wanted = new Map<string, ListenConfig>();
    for (const { listen } of config.servers)
      for (const one of listen) wanted.set(listenKey(one), one);
    const opened: string[] = [];
    const undo = () => {
      for (const key of opened) this.#close(key);
      arrivals.refuse();
    };
    for (const [key, listen] of wanted) {
      if (this.#open.has(key)) continue;
      // Those that come meanwhile may begin their handshakes.
      if (tls.has(key)) this.#tls.set(key, tls.get(key)!);
      try {
        this.#open.set(key, await this.#listen(key, listen, (socket) => arrivals.add(socket, key)));
        opened.push(key);
      } catch (error) {
        undo();
        throw new ListenError(key, error as NodeJS.ErrnoException);
      }
    }
    return {
      commit: () => {
        this.useTls(tls);
        for (const key of [...this.#open.keys()]) if (!wanted.has(key)) this.#close(key);
        arrivals.begin();
      },
      undo,
    };
  }

  /** New connections are encrypted by this from now on; others stay as they are. */
  useTls(tls: ReadonlyMap<string, ServerTls>): void {
    this.#tls = new Map(tls);
  }

  addresses(): ListeningAddress[] {
    return [...this.#open.values()].map(([listener]) => listener!.address);
  }

  /** Those that the system has, for the next process. */
  sockets(): ListeningSocket[] {
    return [...this.#open].flatMap(([key, listeners]) =>
      listeners.flatMap(({ descriptor }) =>
        descriptor === undefined ? [] : [{ key, descriptor }],
      ),
    );
  }

  closeAll(): void {
    for (const key of [...this.#open.keys()]) this.#close(key);
  }

  /** One listener, or several if the process before had more workers. */
  async #listen(
    key: string,
    { host, port = 80, unixPath, reusePort, backlog }: ListenConfig,
    onSocket: (socket: Socket) => void,
  ): Promise<Listener[]> {
    const where = unixPath === undefined ? { host, port } : { path: unixPath };
    const address = { ...where, reusePort, backlog, tls: () => this.#tls.get(key) };
    const inherited = this.#inherited.filter((socket) => socket.key === key);
    this.#inherited = this.#inherited.filter((socket) => socket.key !== key);
    if (inherited.length === 0) return [await this.#transport.listen(address, onSocket)];
    return Promise.all(
      inherited.map(({ descriptor }) =>
        this.#transport.listen({ ...address, descriptor }, onSocket),
      ),
    );
  }

  #close(key: string): void {
    for (const listener of this.#open.get(key) ?? []) listener.close();
    this.#tls.delete(key);
    this.#open.delete(key);
  }
}
