/**
 * Where decode engines call this worker back. Each worker has a port of its own: behind one that all share, a call
 * would come to any of them, and one alone has the request. Open only where a dialect needs it.
 *
 * While a process takes over from the one before, both need their ports: engines call the old one for its requests.
 */
import { networkInterfaces } from "node:os";
import { legRoutes } from "../../config/model-routes.ts";
import type { Config, RouteConfig } from "../../config/schema/schema.ts";
import { isLoopback, parseEngineUrl } from "../../config/values/engine-url.ts";
import { dialectOf } from "../../dialects/registry.ts";
import type { Listener, Socket, Transport } from "../../transport/socket.ts";
import type { CallbackAddress, Callbacks } from "../pd/callbacks.ts";
import { ListenError } from "./listeners.ts";

type CallbackConfig = Config["callback"];

/** What decides which port is a worker's. */
export interface CallbackPorts {
  readonly workerIndex: number;
  readonly workers: number;
  /** This process takes over from another one, which may have the ports still. */
  readonly takesOver: boolean;
}

function listenError(host: string, port: number, cause: unknown): ListenError {
  return new ListenError(`${host}:${port}`, cause as NodeJS.ErrnoException);
}

export class CallbackListener {
  readonly #transport: Transport;
  readonly #callbacks: Callbacks;
  readonly #ports: CallbackPorts;
  readonly #onSocket: (socket: Socket) => void;
  /** By host and port as configured: the one in force, and those whose URLs engines were given before a reload. */
  readonly #open = new Map<string, Listener>();

  constructor(
    transport: Transport,
    callbacks: Callbacks,
    ports: CallbackPorts,
    onSocket: (socket: Socket) => void,
  ) {
    this.#transport = transport;
    this.#callbacks = callbacks;
    this.#ports = ports;
    this.#onSocket = onSocket;
  }

  /**
   * Opens what a configuration needs and is not open. `commit` puts it into the URLs of new attempts, `undo` closes it
   * again.
   */
  async prepare(config: Config): Promise<{ commit(): void; undo(): void }> {
    const { callback } = config;
    const host = hostOf(config);
    const key = `${host}:${callback.port}`;
    const isNeeded = needsCallbacks(config);
    const opened =
      isNeeded && !this.#open.has(key) ? await this.#listen(host, callback) : undefined;
    return {
      commit: () => {
        if (opened !== undefined) this.#open.set(key, opened);
        this.#closeUnused(key);
        const listener = this.#open.get(key);
        if (listener === undefined) return;
        this.#callbacks.listensAt(advertised(host, callback, listener.address.port));
      },
      undo: () => opened?.close(),
    };
  }

  closeAll(): void {
    for (const listener of this.#open.values()) listener.close();
    this.#open.clear();
  }

  #closeUnused(current: string): void {
    for (const [key, listener] of this.#open) {
      if (key === current || this.#callbacks.isExpectedAt(listener.address.port)) continue;
      listener.close();
      this.#open.delete(key);
    }
  }

  async #listen(host: string, { port }: CallbackConfig): Promise<Listener> {
    const { workerIndex, workers, takesOver } = this.#ports;
    const own = port === 0 ? 0 : port + workerIndex;
    const address = { host, port: own, reusePort: false, backlog: 4096 };
    try {
      return await this.#transport.listen(address, this.#onSocket);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (!takesOver || code !== "EADDRINUSE") throw listenError(host, own, error);
    }
    // The process before still has it: the next ports are those of an upgrade.
    const next = own + workers;
    return this.#transport
      .listen({ ...address, port: next }, this.#onSocket)
      .catch((error) => Promise.reject(listenError(host, next, error)));
  }
}

export function needsCallbacks({ servers }: Config): boolean {
  return servers.some(({ routes }) => routes.flatMap(legRoutes).some(callsBack));
}

function callsBack({ dialect, prefill }: RouteConfig): boolean {
  return prefill !== undefined && (dialectOf(dialect)?.callsBack ?? false);
}

/**
 * Where to listen: by default where the engines that call are, on loopback or on the network. An advertised name may
 * stand for any of the machine's addresses.
 */
export function hostOf({ callback, servers, pools }: Config): string {
  const { host, advertise } = callback;
  if (host !== undefined) return host;
  if (advertise !== undefined) return localHosts().includes(advertise) ? advertise : "0.0.0.0";
  const routes = servers.flatMap((server) => server.routes.flatMap(legRoutes).filter(callsBack));
  const callers = routes.flatMap(({ target }) => {
    const pool = target !== undefined && "pool" in target ? pools[target.pool] : undefined;
    // Which pool a template leads to shows with each request.
    return (pool === undefined ? Object.values(pools) : [pool]).flatMap(({ engines }) => engines);
  });
  return callers.every(({ url }) => isOnLoopback(url)) ? "127.0.0.1" : externalHost();
}

function isOnLoopback(url: string): boolean {
  const parsed = parseEngineUrl(url);
  if ("problem" in parsed || "unixPath" in parsed.address) return true;
  return isLoopback(parsed.address.host);
}

/** An address for all of the machine's is none that an engine could connect to. */
export function advertised(
  host: string,
  { advertise }: CallbackConfig,
  port: number,
): CallbackAddress {
  const isWildcard = host === "0.0.0.0" || host === "::";
  return { host: advertise ?? (isWildcard ? undefined : host), externalHost: externalHost(), port };
}

function localHosts(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.map(({ address }) => address);
}

/** The machine's first IPv4 address that others can reach; loopback where it has none. */
function externalHost(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const isReachable = ({ family, internal, address }: (typeof all)[number]) =>
    family === "IPv4" && !internal && !address.startsWith("169.254.");
  return all.find(isReachable)?.address ?? "127.0.0.1";
}
