/**
 * Turns a checked configuration into what workers listen on: real ports for port 0, shared ports, unix sockets at one
 * worker.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { describeSystemError } from "../../config/problems/system-error.ts";
import type { Config, ListenConfig } from "../../config/schema/schema.ts";
import { listenKey } from "../../config/values/listen-key.ts";
import {
  descriptorsKept,
  descriptorsPerClient,
  descriptorsReserved,
  fewConnections,
} from "../../limits.ts";
import type { ListeningSocket } from "../../proxy/client/listeners.ts";
import { ServeError } from "../serve-error.ts";
import { listeningPorts } from "./listening-ports.ts";

/** Replaces the addresses of all servers. */
function mapListens(config: Config, change: (listen: ListenConfig) => ListenConfig[]): Config {
  const servers = config.servers.map((server) => ({
    ...server,
    listen: server.listen.flatMap(change),
  }));
  return { ...config, servers };
}

function allListens(config: Config): ListenConfig[] {
  return config.servers.flatMap(({ listen }) => listen);
}

/** Only worker 0 serves unix sockets: their names cannot be shared. */
export function configOfWorker(config: Config, worker: number): Config {
  if (worker === 0) return config;
  return mapListens(config, (listen) => (listen.unixPath === undefined ? [listen] : []));
}

/**
 * The listening sockets of the process before, shared out: one of each address for each worker as far as they go, and
 * all of them to some worker, since clients wait at each.
 */
export function socketsByWorker(
  sockets: readonly ListeningSocket[],
  workers: number,
): ListeningSocket[][] {
  const byWorker: ListeningSocket[][] = Array.from({ length: workers }, () => []);
  const counts = new Map<string, number>();
  for (const socket of sockets) {
    const count = counts.get(socket.key) ?? 0;
    counts.set(socket.key, count + 1);
    byWorker[count % workers]!.push(socket);
  }
  return byWorker;
}

/** All workers hash prompt blocks with the same salt, also after a reload. */
export function withRecordSalt(config: Config, salt: string): Config {
  const { record } = config;
  return record === undefined ? config : { ...config, record: { salt, ...record } };
}

/** By the host, and its number among those of that host. */
export type ChosenPorts = readonly (readonly [host: string, port: number])[];

/**
 * Chooses ports for `port: 0`, once: a reload keeps them. Workers cannot choose, since all of them need the same ports.
 */
export class FreePorts {
  readonly #chosen: Map<string, number>;

  /** @param chosen by the process before */
  constructor(chosen: ChosenPorts = []) {
    this.#chosen = new Map(chosen);
  }

  /** For the process that takes over. */
  get state(): ChosenPorts {
    return [...this.#chosen];
  }

  get count(): number {
    return this.#chosen.size;
  }

  forget(): void {
    this.#chosen.clear();
  }

  async fillIn(config: Config): Promise<Config> {
    const counts = new Map<string, number>();
    const keyOf = ({ host }: ListenConfig) => {
      const count = counts.get(host) ?? 0;
      counts.set(host, count + 1);
      return `${host} ${count}`;
    };
    for (const listen of allListens(config).filter(({ port }) => port === 0)) {
      const key = keyOf(listen);
      if (!this.#chosen.has(key)) this.#chosen.set(key, await bindOnce(listen));
    }
    counts.clear();
    return mapListens(config, (listen) => {
      if (listen.port !== 0) return [listen];
      return [{ ...listen, port: this.#chosen.get(keyOf(listen))! }];
    });
  }
}

/**
 * Ports are shared even by a single worker: after an upgrade there may be more.
 *
 * With SO_REUSEPORT the kernel would let a second program of the same user bind the port and take half of the
 * connections. So a port on which somebody listens is bound without sharing first, which fails if the address is in
 * use. No other port is: who waits for the proxy would be connected to that socket, and reset when it closes.
 * @param known keys of addresses that this instance listens on already
 */
export async function sharePorts(config: Config, known: ReadonlySet<string>): Promise<Config> {
  // A port that this instance listens on already, even on another host, cannot be bound without sharing.
  const ports = new Set([...known].map((key) => key.slice(key.lastIndexOf(":"))));
  const inUse = listeningPorts();
  for (const listen of allListens(config)) {
    const port = listen.port ?? 80;
    if (listen.unixPath !== undefined || ports.has(`:${port}`)) continue;
    if (inUse?.has(port) ?? true) await bindOnce(listen);
  }
  return mapListens(config, (listen) => [
    listen.unixPath === undefined ? { ...listen, reusePort: true } : listen,
  ]);
}

/** No port is shared, which old versions of Node do not support. */
export function withoutSharing(config: Config): Config {
  return mapListens(config, (listen) => [{ ...listen, reusePort: false }]);
}

/**
 * The configuration with no more client connections than there are file descriptors for.
 * @param filesMax that the process may have open; undefined = the system does not say
 */
export function withinDescriptors(
  config: Config,
  workers: number,
  filesMax: number | undefined,
  log: { notice(message: string): void; warn(message: string): void },
): Config {
  if (filesMax === undefined) return config;
  const reserved = Math.min(descriptorsReserved, Math.floor(filesMax / 2));
  const free = filesMax - reserved - workers * descriptorsKept;
  const forClients = Math.floor(free / descriptorsPerClient / workers);
  const connectionsMax = Math.max(1, forClients);
  if (connectionsMax >= config.connectionsMax) return config;
  const why = `the process may open ${filesMax} files (ulimit -n)`;
  const message = `connectionsMax is ${connectionsMax}, not ${config.connectionsMax}: ${why}`;
  if (connectionsMax < fewConnections) log.warn(message);
  else log.notice(message);
  return { ...config, connectionsMax };
}

/** The soft limit of open files (`ulimit -n`), from Linux's /proc; undefined = there is none, or it is not known. */
export function openFilesMax(): number | undefined {
  try {
    const text = readFileSync("/proc/self/limits", "utf8");
    const max = /^Max open files\s+(\d+)/m.exec(text)?.[1];
    return max === undefined ? undefined : Number(max);
  } catch {
    return undefined;
  }
}

/** Keys of the addresses that a ready configuration listens on. */
export function listenKeys(config: Config): Set<string> {
  return new Set(allListens(config).map(listenKey));
}

function bindOnce(listen: ListenConfig): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => {
      const message = `bind() to ${listenKey(listen)} failed (${describeSystemError(error)})`;
      reject(new ServeError(message, error.code ?? "EUNKNOWN"));
    });
    server.listen({ host: listen.host, port: listen.port ?? 0, exclusive: true }, () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
