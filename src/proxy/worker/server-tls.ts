/** TLS of the addresses of a configuration: by which server's certificates and rules a handshake is answered. */
import type { Config } from "../../config/schema/schema.ts";
import { listenKey } from "../../config/values/listen-key.ts";
import { offersHttp2 } from "../../transport/platform.ts";
import type { ClientHello } from "../../transport/tls/client-hello.ts";
import {
  ServerContext,
  type ServerHandshake,
  type ServerTls,
} from "../../transport/tls/context.ts";
import type { TlsSettings } from "../../transport/tls/settings.ts";
import { HostNames } from "../routing/maps/host-names.ts";

interface TlsServer {
  /** Undefined = it has no certificate of its own. */
  readonly context: ServerContext | undefined;
  readonly rejects: boolean;
  readonly names: readonly string[];
}

/** By the keys of listening addresses; one that is missing is not encrypted. */
export function serverTlsOf(
  { servers }: Config,
  settings: TlsSettings,
): ReadonlyMap<string, ServerTls> {
  const tlsServers = servers.map(({ names, tls }, index): TlsServer => {
    const own = settings.servers[index];
    const context = own && own.certificates.length > 0 ? new ServerContext(own) : undefined;
    return { context, rejects: tls?.rejectHandshake ?? false, names };
  });
  const encrypted = new Set<string>();
  const withHttp2 = new Set<string>();
  const byAddress = new Map<string, { server: TlsServer; isDefault: boolean }[]>();
  servers.forEach(({ listen }, index) => {
    for (const one of listen) {
      const key = listenKey(one);
      if (one.tls) encrypted.add(key);
      if (one.http2 && offersHttp2) withHttp2.add(key);
      const entry = { server: tlsServers[index]!, isDefault: one.defaultServer };
      byAddress.set(key, [...(byAddress.get(key) ?? []), entry]);
    }
  });
  return new Map(
    [...encrypted].map((key) => {
      const entries = byAddress.get(key)!;
      const chosen = entries.find(({ isDefault }) => isDefault) ?? entries[0]!;
      const all = entries.map(({ server }) => server);
      return [key, new AddressTls(all, chosen.server, withHttp2.has(key))] as const;
    }),
  );
}

/** As the host of a request chooses among the servers of an address, so does the name of a handshake. */
class AddressTls implements ServerTls {
  readonly #names = new HostNames<TlsServer>();
  readonly #regexes: readonly (readonly [RegExp, TlsServer])[];
  readonly #default: TlsServer;
  readonly #hasHttp2: boolean;

  constructor(servers: readonly TlsServer[], defaultServer: TlsServer, hasHttp2: boolean) {
    this.#hasHttp2 = hasHttp2;
    this.#default = defaultServer;
    for (const server of servers) {
      for (const name of server.names) {
        if (!name.startsWith("~")) this.#names.add(name.toLowerCase(), server);
      }
    }
    this.#regexes = servers.flatMap((server) =>
      server.names
        .filter((name) => name.startsWith("~"))
        .map((name) => [new RegExp(name.slice(1), "i"), server] as const),
    );
  }

  handshake(hello: ClientHello): ServerHandshake | undefined {
    const server = this.#serverOf(hello.serverName);
    if (server.rejects) return undefined;
    const handshake = (server.context ?? this.#default.context)?.handshake(hello);
    if (handshake === undefined || !this.#hasHttp2) return handshake;
    return { ...handshake, alpn: ["h2", ...handshake.alpn] };
  }

  #serverOf(name: string): TlsServer {
    if (name === "") return this.#default;
    return (
      this.#names.find(name) ??
      this.#regexes.find(([regex]) => regex.test(name))?.[1] ??
      this.#default
    );
  }
}
