/** The links of one worker to all engines, by address: engines of several pools at one address share one. */
import type { Address } from "../../../pool/address.ts";
import type { Pool } from "../../../pool/pool.ts";
import type { Deadlines } from "../../../transport/deadlines.ts";
import type { Transport } from "../../../transport/socket.ts";
import { EngineLink, type LinkSettings } from "./engine-link.ts";

export class EngineLinks {
  readonly #transport: Transport;
  readonly #deadlines: Deadlines;
  readonly #byAddress = new Map<string, EngineLink>();

  constructor(transport: Transport, deadlines: Deadlines) {
    this.#transport = transport;
    this.#deadlines = deadlines;
  }

  /** Opened at its first use. */
  get(address: Address, settings: LinkSettings): EngineLink {
    let link = this.#byAddress.get(address.key);
    if (link === undefined) {
      link = new EngineLink(address, settings, this.#transport, this.#deadlines);
      this.#byAddress.set(address.key, link);
    }
    return link;
  }

  /** Connections that are kept for the next request. */
  get idleCount(): number {
    let count = 0;
    for (const link of this.#byAddress.values()) count += link.idleCount;
    return count;
  }

  /** From now on these are the pools: links to other engines close when nothing uses them. */
  use(pools: Iterable<Pool>): void {
    const used = new Set<string>();
    for (const { engines, config } of pools) {
      for (const { address } of engines) {
        used.add(address.key);
        this.#byAddress.get(address.key)?.configure(config.keepAlive);
      }
    }
    for (const [key, link] of this.#byAddress) {
      if (used.has(key)) continue;
      link.close();
      this.#byAddress.delete(key);
    }
  }

  close(): void {
    for (const link of this.#byAddress.values()) link.close();
  }
}
