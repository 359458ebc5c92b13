/** The KV events of all engines that are configured to tell them: one feed for each, kept over reloads. */
import type { Engine } from "../pool/engine.ts";
import type { Pool } from "../pool/pool.ts";
import { type KvEndpoint, KvFeed, type KvFeedEvents } from "./feed.ts";

export class KvFeeds {
  readonly #eventsOf: (pool: string, engine: string) => KvFeedEvents;
  /** By pool, engine and endpoint. */
  readonly #feeds = new Map<string, KvFeed>();
  #used = new Set<string>();

  /** @param eventsOf what a pool's engine tells is told to these */
  constructor(eventsOf: (pool: string, engine: string) => KvFeedEvents) {
    this.#eventsOf = eventsOf;
  }

  /** The feeds of the pool's engines by their numbers, which are opened where they are new; undefined = it has none. */
  of(pool: Pool): readonly (KvFeed | undefined)[] {
    return pool.engines.map((engine) => {
      const endpoint = endpointOf(pool, engine);
      return endpoint && this.#feed(pool.name, engine.name, endpoint);
    });
  }

  /** Closes those that have not been asked for since the last call. */
  closeOthers(): void {
    for (const [key, feed] of this.#feeds) {
      if (this.#used.has(key)) continue;
      feed.close();
      this.#feeds.delete(key);
    }
    this.#used = new Set();
  }

  close(): void {
    this.#used = new Set();
    this.closeOthers();
  }

  #feed(pool: string, engine: string, endpoint: KvEndpoint): KvFeed {
    const key = JSON.stringify([pool, engine, endpoint]);
    this.#used.add(key);
    let feed = this.#feeds.get(key);
    if (feed === undefined) {
      feed = new KvFeed(endpoint, this.#eventsOf(pool, engine));
      this.#feeds.set(key, feed);
      feed.open();
    }
    return feed;
  }
}

/** Each data-parallel rank publishes at a port of its own. */
function endpointOf(pool: Pool, { address, info }: Engine): KvEndpoint | undefined {
  const { kvEvents, tokenize } = pool.config;
  // What engines tell is of tokens: of use only where a prompt's tokens are known.
  if (kvEvents === undefined || !tokenize || address.host === undefined) return undefined;
  const { kv_events_port: port, kv_replay_port: replayPort } = info.attributes;
  const rank = Math.max(0, info.dpRank);
  const published = Number(port ?? kvEvents.port) + rank;
  const replay = Number(replayPort ?? kvEvents.replayPort);
  const replayed = replay === 0 ? 0 : replay + rank;
  // A rank may lead beyond the last port.
  if (!isPort(published) || (replayed !== 0 && !isPort(replayed))) return undefined;
  return { host: address.host, port: published, replayPort: replayed, topic: kvEvents.topic };
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535;
}
