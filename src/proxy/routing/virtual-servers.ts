/** The servers of one listening address: which of them a request is for, by its host's name. */
import type { RequestContext } from "../context/request-context.ts";
import type { Server } from "./server.ts";
import { hostName } from "./variables.ts";

export class VirtualServers {
  readonly #default: Server;
  readonly #exact = new Map<string, Server>();
  readonly #wildcards: {
    readonly suffix: string;
    readonly prefix: string;
    readonly server: Server;
  }[] = [];
  readonly #servers: readonly Server[];

  constructor(servers: readonly Server[], defaultServer: Server) {
    this.#servers = servers;
    this.#default = defaultServer;
    for (const server of servers) {
      for (const raw of server.config.names) {
        const name = raw.toLowerCase();
        if (name.startsWith("~")) continue;
        if (name.startsWith("*."))
          this.#wildcards.push({ suffix: name.slice(1), prefix: "", server });
        else if (name.startsWith(".")) {
          this.#exact.set(name.slice(1), this.#exact.get(name.slice(1)) ?? server);
          this.#wildcards.push({ suffix: name, prefix: "", server });
        } else if (name.endsWith(".*"))
          this.#wildcards.push({ suffix: "", prefix: name.slice(0, -1), server });
        else if (!this.#exact.has(name)) this.#exact.set(name, server);
      }
    }
    const length = (wildcard: { suffix: string; prefix: string }) =>
      wildcard.suffix === "" ? wildcard.prefix.length : 1000 + wildcard.suffix.length;
    this.#wildcards.sort((a, b) => length(b) - length(a));
  }

  /** The server whose settings hold before a request's head is read. */
  get initial(): Server {
    return this.#default;
  }

  /** nginx's precedence: exact, `*.name`, `name.*` (the longest first), expressions, the default server. */
  find(context: RequestContext): Server {
    if (this.#servers.length === 1) {
      // Its expressions leave their captures.
      if (this.#default.hasRegexNames)
        this.#default.matchesRegexName(context, hostName(context.head.host));
      return this.#default;
    }
    const name = hostName(context.head.host);
    const exact = this.#exact.get(name);
    if (exact !== undefined) return exact;
    for (const { suffix, prefix, server } of this.#wildcards) {
      if (suffix !== "" ? name.endsWith(suffix) : name.startsWith(prefix)) return server;
    }
    return this.#servers.find((server) => server.matchesRegexName(context, name)) ?? this.#default;
  }
}
