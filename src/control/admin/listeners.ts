/** The listeners for operators: that of the admin pages, and that of metrics alone. */
import type { OperatorListener } from "../../config/schema/operators.ts";
import type { Config } from "../../config/schema/schema.ts";
import type { BoundAddress } from "../../proxy/worker/messages.ts";
import type { ListenerName } from "./access.ts";
import { type AdminRoutes, AdminServer, type AdminSocket, adminKey } from "./server.ts";

/** Listening sockets, for the process that takes over. */
export type OperatorSockets = { readonly [name in ListenerName]?: AdminSocket };

const names: readonly ListenerName[] = ["admin", "metrics"];

/** Undefined = the configuration has no such listener. */
export function listenerOf(
  { admin, metrics }: Config,
  name: ListenerName,
): OperatorListener | undefined {
  if (name === "admin") return admin;
  const { port } = metrics;
  return port === undefined ? undefined : { ...metrics, port };
}

export class OperatorListeners {
  readonly #servers: ReadonlyMap<ListenerName, AdminServer>;

  /** @param inherited of the process before */
  constructor(
    routes: Readonly<Record<ListenerName, AdminRoutes>>,
    log: (message: string) => void,
    inherited: OperatorSockets = {},
  ) {
    this.#servers = new Map(
      names.map((name) => [name, new AdminServer(name, routes[name], log, inherited[name])]),
    );
  }

  /** For the process that takes over. */
  get sockets(): OperatorSockets {
    const sockets = [...this.#servers].flatMap(([name, { socket }]) =>
      socket === undefined ? [] : [[name, socket] as const],
    );
    return Object.fromEntries(sockets);
  }

  /** Where a listener listens; undefined = there is none. */
  addressOf(name: ListenerName): BoundAddress | undefined {
    return this.#servers.get(name)?.address;
  }

  /** Binds the addresses of this configuration, besides the current ones. Rejects with a ServeError. */
  async open(config: Config): Promise<void> {
    for (const [name, server] of this.#servers) await server.open(listenerOf(config, name));
  }

  /** Applies a configuration that was opened: closes the addresses before. */
  use(config: Config): void {
    for (const [name, server] of this.#servers) server.use(listenerOf(config, name));
  }

  close(): void {
    for (const server of this.#servers.values()) server.close();
  }
}

/** Those that the configuration does not have. */
export function unusedSockets(sockets: OperatorSockets, config: Config): AdminSocket[] {
  return names.flatMap((name) => {
    const socket = sockets[name];
    const isUsed = socket?.key === adminKey(listenerOf(config, name));
    return socket === undefined || isUsed ? [] : [socket];
  });
}
