/** The main thread's own questions to engines, with the key that their pool has: they may ask for one at each path. */
import type { Config } from "../../config/schema/schema.ts";
import { enginesOf } from "../../pool/engines.ts";
import { type AskEngine, askEngine } from "./ask-engine.ts";

export class EngineAsker {
  /** Keys by pool, as they were read last. */
  readonly #keys: () => Readonly<Record<string, string>>;
  /** Pools with a key, by the addresses of their engines. Other ports of an engine are other servers. */
  #pools = new Map<string, string>();

  constructor(keys: () => Readonly<Record<string, string>>) {
    this.#keys = keys;
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
  }

  /** As {@link askEngine}. A key that the request has itself stays. */
  readonly ask: AskEngine = (address, path, request = {}) => {
    const key = this.#keys()[this.#pools.get(address.key) ?? ""];
    if (key === undefined) return askEngine(address, path, request);
    const names = Object.keys(request.headers ?? {}).map((name) => name.toLowerCase());
    if (names.includes("authorization")) return askEngine(address, path, request);
    const headers = { ...request.headers, authorization: `Bearer ${key}` };
    return askEngine(address, path, { ...request, headers });
  };
}
