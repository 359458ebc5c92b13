/**
 * Where decode engines call this worker back. Each worker has a port of its own: behind one that all share, a call would come to any of
 * them, and one alone has the request. Open only where a dialect needs it.
 */
import { networkInterfaces } from "node:os";
import type { Config } from "../config/schema.ts";
import { dialectOf } from "../dialects/registry.ts";
import type { Listener, Socket, Transport } from "../transport/socket.ts";
import type { CallbackAddress, Callbacks } from "./callbacks.ts";
import { ListenError } from "./listeners.ts";

type CallbackConfig = Config["callback"];

export class CallbackListener {
  readonly #transport: Transport;
  readonly #callbacks: Callbacks;
  readonly #workerIndex: number;
  readonly #onSocket: (socket: Socket) => void;
  #listener: Listener | undefined;
  #key = "";
  /** Of earlier configurations: rounds that have been told their port go on. */
  readonly #retired: Listener[] = [];

  constructor(
    transport: Transport,
    callbacks: Callbacks,
    workerIndex: number,
    onSocket: (socket: Socket) => void,
  ) {
    this.#transport = transport;
    this.#callbacks = callbacks;
    this.#workerIndex = workerIndex;
    this.#onSocket = onSocket;
  }

  /** Opens what a configuration needs and is not open. `commit` has new rounds told of it, `undo` closes it again. */
  async prepare(config: Config): Promise<{ commit(): void; undo(): void }> {
    const { callback } = config;
    const key = `${callback.host}:${callback.port}`;
    const isOpen = this.#listener !== undefined && key === this.#key;
    const opened = isOpen || !needsCallbacks(config) ? undefined : await this.#listen(callback);
    return {
      commit: () => {
        if (opened !== undefined) {
          if (this.#listener !== undefined) this.#retired.push(this.#listener);
          this.#listener = opened;
          this.#key = key;
        }
        if (this.#callbacks.size === 0) this.#closeRetired();
        if (this.#listener === undefined) return;
        this.#callbacks.listensAt(advertised(callback, this.#listener.address.port));
      },
      undo: () => opened?.close(),
    };
  }

  closeAll(): void {
    this.#closeRetired();
    this.#listener?.close();
    this.#listener = undefined;
  }

  #closeRetired(): void {
    for (const listener of this.#retired.splice(0)) listener.close();
  }

  async #listen({ host, port }: CallbackConfig): Promise<Listener> {
    const own = port === 0 ? 0 : port + this.#workerIndex;
    const address = { host, port: own, reusePort: false, backlog: 4096 };
    try {
      return await this.#transport.listen(address, this.#onSocket);
    } catch (error) {
      throw new ListenError(`${host}:${own}`, error as NodeJS.ErrnoException);
    }
  }
}

export function needsCallbacks({ servers }: Config): boolean {
  return servers.some(({ routes }) =>
    routes.some(({ dialect, prefill }) => prefill && dialectOf(dialect)?.callsBack),
  );
}

/** An address for all of the machine's is none that an engine could connect to. */
export function advertised({ host, advertise }: CallbackConfig, port: number): CallbackAddress {
  const isWildcard = host === "0.0.0.0" || host === "::";
  return { host: advertise ?? (isWildcard ? undefined : host), externalHost: externalHost(), port };
}

/** The machine's first IPv4 address that others can reach; loopback where it has none. */
function externalHost(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const isReachable = ({ family, internal, address }: (typeof all)[number]) =>
    family === "IPv4" && !internal && !address.startsWith("169.254.");
  return all.find(isReachable)?.address ?? "127.0.0.1";
}
