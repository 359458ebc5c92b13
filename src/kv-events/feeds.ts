/**
 * The KV events of all engines that are configured to tell them: one feed for each, and one listener for each address
 * at which engines connect, kept over reloads.
 */
import {
  formatZmqAddress,
  parseZmqAddress,
  type ZmqAddress,
} from "../config/values/zmq-address.ts";
import type { Engine } from "../pool/engine.ts";
import type { Pool } from "../pool/pool.ts";
import { type KvEndpoint, KvFeed, type KvFeedEvents } from "./feed.ts";
import { KvListener, type ListenedEngine } from "./listener.ts";

export class KvFeeds {
  readonly #eventsOf: (pool: string, engine: string) => KvFeedEvents;
  /** By pool, engine and endpoint. */
  readonly #feeds = new Map<string, KvFeed>();
  #used = new Set<string>();
  readonly #warn: (message: string) => void;
  /** By address. */
  readonly #listeners = new Map<string, KvListener>();
  /** Engines that connect to each address. */
  #listened = new Map<
    string,
    { readonly address: ZmqAddress; readonly engines: ListenedEngine[] }
  >();

  /**
   * @param eventsOf what a pool's engine tells is told to these
   * @param warn of publishers that are of no engine
   */
  constructor(
    eventsOf: (pool: string, engine: string) => KvFeedEvents,
    warn: (message: string) => void,
  ) {
    this.#eventsOf = eventsOf;
    this.#warn = warn;
  }

  /** The feeds of the pool's engines by their numbers, which are opened where they are new; undefined = it has none. */
  of(pool: Pool): readonly (KvFeed | undefined)[] {
    return pool.engines.map((engine) => {
      const endpoint = endpointOf(pool, engine);
      const feed = endpoint && this.#feed(pool.name, engine.name, endpoint);
      if (endpoint?.listen !== undefined)
        this.#listen(endpoint.listen, engine, feed!, endpoint.topic);
      return feed;
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
    this.#applyListeners();
  }

  /** Engines that dial out connect to another process from now on. */
  stopListening(): void {
    this.#listened = new Map();
    this.#applyListeners();
  }

  close(): void {
    this.#used = new Set();
    this.#listened = new Map();
    this.closeOthers();
  }

  #listen(address: ZmqAddress, { name, address: at }: Engine, feed: KvFeed, topic: string): void {
    const key = formatZmqAddress(address);
    const listened = this.#listened.get(key) ?? { address, engines: [] };
    this.#listened.set(key, listened);
    listened.engines.push({ name, host: at.host!, port: at.port!, feed, topic });
  }

  #applyListeners(): void {
    for (const [key, listener] of this.#listeners) {
      if (this.#listened.has(key)) continue;
      listener.close();
      this.#listeners.delete(key);
    }
    for (const [key, { address, engines }] of this.#listened) {
      const before = this.#listeners.get(key);
      const listener = before ?? new KvListener(address, this.#warn);
      this.#listeners.set(key, listener);
      listener.use(engines);
      if (before === undefined) listener.open();
    }
    this.#listened = new Map();
  }

  #feed(pool: string, engine: string, endpoint: KvEndpoint): KvFeed {
    const { host, port, replayPort, topic } = endpoint;
    const key = JSON.stringify([pool, engine, host, port, replayPort, topic]);
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

/** Each data-parallel rank publishes at a port of its own, also where it connects to the proxy. */
function endpointOf(
  pool: Pool,
  { address, info }: Engine,
): (KvEndpoint & { readonly listen: ZmqAddress | undefined }) | undefined {
  const { kvEvents, tokenize } = pool.config;
  // What engines tell is of tokens: of use only where a prompt's tokens are known.
  if (kvEvents === undefined || !tokenize || address.host === undefined) return undefined;
  const { kv_events_port: port, kv_replay_port: replayPort } = info.attributes;
  const rank = Math.max(0, info.dpRank);
  const listened = kvEvents.listen === undefined ? undefined : parseZmqAddress(kvEvents.listen);
  const published = (listened?.port ?? Number(port ?? kvEvents.port)) + rank;
  const replay = Number(replayPort ?? kvEvents.replayPort);
  const replayed = replay === 0 ? 0 : replay + rank;
  // A rank may lead beyond the last port.
  if (!isPort(published) || (replayed !== 0 && !isPort(replayed))) return undefined;
  return {
    host: address.host,
    port: listened === undefined ? published : 0,
    replayPort: replayed,
    topic: kvEvents.topic,
    listen: listened && { ...listened, port: published },
  };
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535;
}
