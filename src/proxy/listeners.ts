/** The listening sockets of one worker. A reload keeps those whose address stays, opens new ones and closes the rest. */
import type { Config, ListenConfig } from "../config/schema.ts";
import type { Listener, ListeningAddress, Socket, Transport } from "../transport/socket.ts";

/** What tells one listening address from another. */
export function listenKey(listen: Pick<ListenConfig, "host" | "port" | "unixPath">): string {
  if (listen.unixPath !== undefined) return `unix:${listen.unixPath}`;
  return `${listen.host}:${listen.port ?? defaultPort}`;
}

/** nginx's default for one who may bind it. */
const defaultPort = 80;

/** An address could not be bound; the message is nginx's. */
export class ListenError extends Error {
  readonly code: string;
  constructor(address: string, cause: NodeJS.ErrnoException) {
    const number = Math.abs(cause.errno ?? 0);
    super(`bind() to ${address} failed (${number}: ${reasons[cause.code ?? ""] ?? cause.message})`);
    this.name = "ListenError";
    this.code = cause.code ?? "ELISTEN";
  }
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: "Address already in use",
  EACCES: "Permission denied",
  EADDRNOTAVAIL: "Cannot assign requested address",
};

export class Listeners {
  readonly #transport: Transport;
  readonly #open = new Map<string, Listener>();

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /**
   * Opens what a configuration asks for and is not open. When one fails, those just opened are closed again, and the old ones
   * stay. `commit` then closes the ones that are not wanted any more.
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
              ? { host: listen.host, port: listen.port ?? defaultPort }
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
