/**
 * The listening sockets of one worker. A reload keeps those whose address stays, opens new ones and closes the rest.
 */

import { describeSystemError } from "../../config/problems/system-error.ts";
import type { Config, ListenConfig } from "../../config/schema/schema.ts";
import { listenKey } from "../../config/values/listen-key.ts";
import type { Listener, ListeningAddress, Socket, Transport } from "../../transport/socket.ts";

/** An address could not be bound; the message is nginx's. */
export class ListenError extends Error {
  readonly code: string;
  constructor(address: string, cause: NodeJS.ErrnoException) {
    super(`bind() to ${address} failed (${describeSystemError(cause)})`);
    this.name = "ListenError";
    this.code = cause.code ?? "ELISTEN";
  }
}

export class Listeners {
  readonly #transport: Transport;
  readonly #open = new Map<string, Listener>();

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /**
   * Opens what a configuration asks for and is not open. When one fails, those just opened are closed again, and the
   * old ones stay. `commit` then closes the ones that are not wanted any more.
   */
  async prepare(
    config: Config,
    onSocket: (socket: Socket, key: string) => void,
  ): Promise<{ commit(): void }> {
    const wanted = new Map<string, ListenConfig>();
    for (const { listen } of config.servers)
      for (const one of listen) wanted.set(listenKey(one), one);
    const opened: string[] = [];
    for (const [key, listen] of wanted) {
      if (this.#open.has(key)) continue;
      try {
        const listener = await this.#transport.listen(
          {
            ...(listen.unixPath === undefined
              ? { host: listen.host, port: listen.port ?? 80 }
              : { path: listen.unixPath }),
            reusePort: listen.reusePort,
            backlog: listen.backlog,
          },
          (socket) => onSocket(socket, key),
        );
        this.#open.set(key, listener);
        opened.push(key);
      } catch (error) {
        for (const done of opened) this.#close(done);
        throw new ListenError(key, error as NodeJS.ErrnoException);
      }
    }
    return {
      commit: () => {
        for (const key of [...this.#open.keys()]) if (!wanted.has(key)) this.#close(key);
      },
    };
  }

  addresses(): ListeningAddress[] {
    return [...this.#open.values()].map((listener) => listener.address);
  }

  closeAll(): void {
    for (const key of [...this.#open.keys()]) this.#close(key);
  }

  #close(key: string): void {
    this.#open.get(key)?.close();
    this.#open.delete(key);
  }
}
