/**
 * The main thread's own questions to engines, with the key that their pool has: they may ask for one at each path. With
 * TLS, by the pool's rules.
 */
import type { Config } from "../../config/schema/schema.ts";
import { enginesOf } from "../../pool/engines.ts";
import type { TlsSettings } from "../../transport/tls/settings.ts";
import { type AskEngine, askEngine } from "./ask-engine.ts";

/** By pool, as they were read last. */
export interface PoolCredentials {
  readonly engineKeys: Readonly<Record<string, string>>;
  readonly poolTls: TlsSettings["pools"];
}

export class EngineAsker {
  readonly #credentials: () => PoolCredentials;
  /** Pools with a key, by the addresses of their engines. Other ports of an engine are other servers. */
  #pools = new Map<string, string>();
  /** The same of the engines that are reached with TLS. */
  #tlsPools = new Map<string, string>();

  constructor(credentials: () => PoolCredentials) {
    this.#credentials = credentials;
  }

  /** Engines of this configuration are asked from now on. */
  use({ pools }: Config): void {
    this.#pools = new Map(
      Object.entries(pools).flatMap(([name, pool]) =>
        pool.apiKey === undefined
          ? []
          : enginesOf(pool).map(({ address }) => [address.key, name] as const),
      ),
    );
    this.#tlsPools = new Map(
      Object.entries(pools).flatMap(([name, pool]) =>
        enginesOf(pool).flatMap(({ address }) =>
          address.isTls ? [[address.key, name] as const] : [],
        ),
      ),
    );
  }

  /** As {@link askEngine}. A key that the request has itself stays. */
  readonly ask: AskEngine = (address, path, request = {}) => {
    const tls = address.isTls
      ? this.#credentials().poolTls[this.#tlsPools.get(address.key) ?? ""]
      : undefined;
    // Its pool is gone: what would be trusted is not known any more.
    if (address.isTls && tls === undefined) return Promise.resolve("failed");
    const key = this.#credentials().engineKeys[this.#pools.get(address.key) ?? ""];
    if (key === undefined) return askEngine(address, path, { ...request, tls });
    const names = Object.keys(request.headers ?? {}).map((name) => name.toLowerCase());
    if (names.includes("authorization")) return askEngine(address, path, { ...request, tls });
    const headers = { ...request.headers, authorization: `Bearer ${key}` };
    return askEngine(address, path, { ...request, headers, tls });
  };
}
