/**
 * One address at which engines that dial out publish their KV events: llm-d-inference-sim does, and vLLM with an
 * endpoint without `*` (`vllm/distributed/kv_events.py`). Whose events a message has is said by its topic, or by the
 * address that it comes from.
 */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { describeSystemError } from "../config/problems/system-error.ts";
import { formatZmqAddress, type ZmqAddress } from "../config/values/zmq-address.ts";
import {
  kvBatchBytesMax,
  kvListenAgainMs,
  kvPublishersMax,
  kvTopicsMax,
  kvUnknownPublishersMax,
  namedEnginesMax,
} from "../limits.ts";
import { type ZmtpPeer, ZmtpServer } from "../transport/zmtp/server.ts";
import type { KvFeed } from "./feed.ts";
import { comparable, enginesOfPublisher, type PublishingEngine } from "./publisher-engine.ts";

/** An engine of one pool. */
export interface ListenedEngine extends PublishingEngine {
  readonly feed: KvFeed;
  /** Only topics that start with this are read. */
  readonly topic: string;
}

interface Connection {
  readonly peer: ZmtpPeer;
  /** Later connections have higher ones. */
  readonly serial: number;
  readonly engines: Map<string, readonly ListenedEngine[]>;
}

const serverOptions = {
  type: "SUB",
  connectionsMax: kvPublishersMax,
  messageBytesMax: kvBatchBytesMax,
  idleTimeoutMs: 0,
} as const;

export class KvListener {
  readonly #address: ZmqAddress;
  readonly #warn: (message: string) => void;
  #server: ZmtpServer | undefined;
  #retry: NodeJS.Timeout | undefined;
  #isClosed = false;
  #engines: readonly ListenedEngine[] = [];
  readonly #connections = new Map<ZmtpPeer, Connection>();
  /** Whose messages a feed takes. */
  readonly #owners = new Map<KvFeed, Connection>();
  #serial = 0;
  /** Of the engines' host names. */
  #addresses = new Map<string, readonly string[]>();
  /** Host names are not looked up again while it runs. */
  #lookUpRest: NodeJS.Timeout | undefined;
  /** What was logged already: publishers publish all the time. */
  readonly #said = new Set<string>();

  constructor(address: ZmqAddress, warn: (message: string) => void) {
    this.#address = address;
    this.#warn = warn;
  }

  /** Listens, and tries again until `close` where it cannot. */
  open(): void {
    const server = new ZmtpServer(serverOptions, {
      connected: (peer) => this.#connected(peer),
      message: (peer, parts) => this.#received(peer, parts),
      closed: (peer) => this.#lost(peer),
      refused: (from, why) => this.#say(`a publisher at ${comparable(from)} is rejected: ${why}`),
    });
    this.#server = server;
    server.listen(this.#address.host, this.#address.port).catch((error: NodeJS.ErrnoException) => {
      if (this.#isClosed) return;
      this.#say(`cannot listen: ${describeSystemError(error)}; it is tried again`);
      this.#retry = setTimeout(() => this.open(), kvListenAgainMs);
      this.#retry.unref();
    });
  }

  /** From now on these are the engines. Connections stay. */
  use(engines: readonly ListenedEngine[]): void {
    this.#engines = engines;
    this.#said.clear();
    const feeds = new Set(engines.map(({ feed }) => feed));
    for (const feed of this.#owners.keys()) if (!feeds.has(feed)) this.#owners.delete(feed);
    this.#matchAgain();
    this.#endLookUpRest();
    this.#lookUp();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    this.#endLookUpRest();
    this.#server?.close();
  }

  #connected(peer: ZmtpPeer): void {
    const connection = { peer, serial: ++this.#serial, engines: new Map() };
    this.#connections.set(peer, connection);
    this.#attachByAddress(connection);
  }

  #received(peer: ZmtpPeer, parts: readonly Buffer[]): void {
    const connection = this.#connections.get(peer)!;
    const topic = parts[0]!.toString("latin1");
    for (const { feed } of this.#enginesAt(connection, topic))
      if (this.#owners.get(feed) === connection) feed.published(parts);
  }

  /** Those whose feeds take messages of that topic. */
  #enginesAt(connection: Connection, topic: string): readonly ListenedEngine[] {
    const known = connection.engines.get(topic);
    if (known !== undefined) return known;
    const found = this.#find(topic, connection);
    const engines = found.filter((engine) => topic.startsWith(engine.topic));
    if (found.length === 0) this.#unknown(topic, connection);
    if (connection.engines.size >= kvTopicsMax) connection.engines.clear();
    // Until a message has named another engine, the address was all that was known.
    if (connection.engines.size === 0) this.#detachOthers(connection, engines);
    connection.engines.set(topic, engines);
    for (const { feed } of engines) this.#attach(feed, connection);
    return engines;
  }

  #find(topic: string, { peer }: Connection): readonly ListenedEngine[] {
    const addressesOf = (host: string) => this.#addresses.get(host) ?? [];
    return enginesOfPublisher(this.#engines, topic, peer.address, addressesOf);
  }

  /** An engine that publishes nothing yet can be asked for what it has published before. */
  #attachByAddress(connection: Connection): void {
    for (const { feed } of this.#find("", connection)) this.#attach(feed, connection);
  }

  /** The connection that was made last counts: the one before may be half open. */
  #attach(feed: KvFeed, connection: Connection): void {
    const owner = this.#owners.get(feed);
    if (owner !== undefined && owner.serial >= connection.serial) return;
    if (owner !== undefined) feed.publisherLost("its publisher has connected again");
    this.#owners.set(feed, connection);
    feed.publisherConnected();
  }

  #detachOthers(connection: Connection, engines: readonly ListenedEngine[]): void {
    for (const [feed, owner] of this.#owners) {
      if (owner !== connection || engines.some((engine) => engine.feed === feed)) continue;
      this.#owners.delete(feed);
      feed.publisherLost("its publisher is another engine's");
    }
  }

  #lost(peer: ZmtpPeer): void {
    const connection = this.#connections.get(peer);
    this.#connections.delete(peer);
    for (const [feed, owner] of this.#owners) {
      if (owner !== connection) continue;
      this.#owners.delete(feed);
      feed.publisherLost("the connection was closed");
    }
  }

  #unknown(topic: string, { peer }: Connection): void {
    this.#lookUp();
    const names = [...new Set(this.#engines.map(({ name }) => name))];
    const more = names.length > namedEnginesMax ? ", …" : "";
    const list = names.slice(0, namedEnginesMax).join(", ") + more;
    const from = `${comparable(peer.address)} with topic ${JSON.stringify(topic.slice(0, 128))}`;
    this.#say(`events from ${from} are ignored: they are of none, or of several, of ${list}`);
  }

  /** What is known of publishers was found by other engines, or by other addresses. */
  #matchAgain(): void {
    for (const connection of this.#connections.values()) {
      connection.engines.clear();
      this.#attachByAddress(connection);
    }
  }

  /** The addresses of engines that are configured by name, at most once in a while. */
  #lookUp(): void {
    const hosts = new Set(this.#engines.map(({ host }) => host).filter((host) => isIP(host) === 0));
    if (hosts.size === 0 || this.#lookUpRest !== undefined) return;
    this.#lookUpRest = setTimeout(() => this.#endLookUpRest(), kvListenAgainMs);
    this.#lookUpRest.unref();
    void Promise.all([...hosts].map(addressesOf)).then((found) => {
      this.#addresses = new Map(found);
      if (!this.#isClosed) this.#matchAgain();
    });
  }

  #endLookUpRest(): void {
    clearTimeout(this.#lookUpRest);
    this.#lookUpRest = undefined;
  }

  #say(what: string): void {
    if (this.#said.has(what) || this.#said.size >= kvUnknownPublishersMax) return;
    this.#said.add(what);
    this.#warn(`KV events at ${formatZmqAddress(this.#address)}: ${what}`);
  }
}

async function addressesOf(host: string): Promise<readonly [string, readonly string[]]> {
  const found = await lookup(host, { all: true }).catch(() => []);
  return [host, found.map(({ address }) => address)];
}
