/**
 * The links of one worker to all engines, by address: engines of several pools at one address share one. With TLS each
 * pool has its own, since its engines are trusted by its rules.
 */
import type { SecureContext } from "node:tls";
import { isDeepStrictEqual } from "node:util";
import type { Address } from "../../../pool/address.ts";
import type { Pool } from "../../../pool/pool.ts";
import type { Deadlines } from "../../../transport/deadlines.ts";
import type { Transport } from "../../../transport/socket.ts";
import {
  ClientTls,
  type ClientTlsSettings,
  clientContext,
} from "../../../transport/tls/context.ts";
import type { TlsSettings } from "../../../transport/tls/settings.ts";
import { EngineLink } from "./engine-link.ts";

/** What a link goes by, of its engine's pool. */
export type LinkPool = Pick<Pool, "name"> & { readonly config: Pick<Pool["config"], "keepAlive"> };

interface PoolTls {
  readonly settings: ClientTlsSettings;
  readonly context: SecureContext;
}

export class EngineLinks {
  readonly #transport: Transport;
  readonly #deadlines: Deadlines;
  readonly #links = new Map<string, EngineLink>();
  /** By the names of pools. */
  readonly #tls = new Map<string, PoolTls>();

  constructor(transport: Transport, deadlines: Deadlines) {
    this.#transport = transport;
    this.#deadlines = deadlines;
  }

  /** Opened at its first use. */
  get(address: Address, pool: LinkPool): EngineLink {
    const key = linkKey(address, pool);
    let link = this.#links.get(key);
    if (link === undefined) {
      const { keepAlive } = pool.config;
      const tls = address.isTls ? this.#tlsOf(address, pool.name) : undefined;
      link = new EngineLink(address, keepAlive, this.#transport, this.#deadlines, tls);
      this.#links.set(key, link);
    }
    return link;
  }

  #tlsOf({ host = "localhost" }: Address, pool: string): ClientTls {
    // A request that goes on by a configuration before may have a pool that there is no more.
    const { context, settings } = this.#tls.get(pool) ?? poolTls(distrust);
    return new ClientTls(context, settings, host);
  }

  /** Connections that are kept for the next request. */
  get idleCount(): number {
    let count = 0;
    for (const link of this.#links.values()) count += link.idleCount;
    return count;
  }

  /** From now on engines are trusted by these rules; connections by others are used no more. */
  useTls({ pools }: TlsSettings): void {
    for (const [pool, { settings }] of this.#tls) {
      if (isDeepStrictEqual(settings, pools[pool])) continue;
      this.#tls.delete(pool);
      for (const key of [...this.#links.keys()]) if (key.startsWith(`${pool} `)) this.#close(key);
    }
    for (const [pool, settings] of Object.entries(pools)) {
      if (this.#tls.has(pool)) continue;
      this.#tls.set(pool, poolTls(settings));
    }
  }

  /** From now on these are the pools: links to other engines close when nothing uses them. */
  use(pools: Iterable<Pool>): void {
    const used = new Set<string>();
    for (const pool of pools) {
      for (const { address } of pool.engines) {
        const key = linkKey(address, pool);
        used.add(key);
        this.#links.get(key)?.configure(pool.config.keepAlive);
      }
    }
    for (const key of [...this.#links.keys()]) if (!used.has(key)) this.#close(key);
  }

  close(): void {
    for (const link of this.#links.values()) link.close();
  }

  #close(key: string): void {
    this.#links.get(key)?.close();
    this.#links.delete(key);
  }
}

function poolTls(settings: ClientTlsSettings): PoolTls {
  return { settings, context: clientContext(settings) };
}

/** Trusts nobody. */
const distrust: ClientTlsSettings = {
  protocols: ["TLSv1.2", "TLSv1.3"],
  issuers: [],
  revoked: [],
  verifies: true,
  depthMax: 0,
  keepsSessions: false,
  sendsName: false,
};

function linkKey({ key, isTls }: Address, { name }: LinkPool): string {
  return isTls ? `${name} ${key}` : key;
}
