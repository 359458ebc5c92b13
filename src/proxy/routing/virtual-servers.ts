/** The servers of one listening address: which of them a request is for, by its host's name. */
import type { RequestContext } from "../context/request-context.ts";
import { HostNames } from "./maps/host-names.ts";
import type { Server } from "./server.ts";
import { hostName } from "./variables.ts";

export class VirtualServers {
  readonly #default: Server;
  readonly #names = new HostNames<Server>();
  readonly #servers: readonly Server[];
  /** Whether clients may speak HTTP/2 at the address. */
  readonly speaksHttp2: boolean;

  constructor(servers: readonly Server[], defaultServer: Server, speaksHttp2 = false) {
    this.speaksHttp2 = speaksHttp2;
    this.#servers = servers;
    this.#default = defaultServer;
    for (const server of servers) {
      for (const name of server.config.names) {
        if (!name.startsWith("~")) this.#names.add(name.toLowerCase(), server);
      }
    }
  }

  /** The server whose settings hold before a request's head is read. */
  get initial(): Server {
    return this.#default;
  }

  /** By the host's name; by that of the handshake, if the request has none; else the default server. */
  find(context: RequestContext): Server {
    const { tls } = context.connection;
    const name = hostName(context.head.host) || (tls?.serverName ?? "");
    if (this.#servers.length === 1) {
      // Its expressions leave their captures.
      if (this.#default.hasRegexNames) this.#default.matchesRegexName(context, name);
      return this.#default;
    }
    return (
      this.#names.find(name) ??
      this.#servers.find((server) => server.matchesRegexName(context, name)) ??
      this.#default
    );
  }

  /** Whether the handshake was for one of the servers by its name. */
  has(context: RequestContext, name: string): boolean {
    return (
      this.#names.find(name) !== undefined ||
      this.#servers.some((server) => server.matchesRegexName(context, name))
    );
  }
}
