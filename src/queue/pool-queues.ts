/**
 * The queues of all pools that have one, and what engines report of their caches. One object for the whole proxy, in
 * its only worker or in the main thread.
 */
import { EngineCaches } from "../kv-events/engine-caches.ts";
import type { Pool } from "../pool/pool.ts";
import type { CacheKnowledge } from "../prefix-cache/cache-knowledge.ts";
import type { Clock } from "../transport/clock.ts";
import type { QueueRequest } from "./orderings/shared/ordering.ts";
import { PoolCapacity } from "./pool-capacity.ts";
import { PoolQueue } from "./pool-queue.ts";
import type { LeadingTokens, QueueListener, QueueService, Ticket } from "./queue-service.ts";

/** One line for the error log. */
export type QueueLog = (level: "info" | "warn", message: string) => void;

const knowledgeWords: Readonly<Record<CacheKnowledge, string>> = {
  exact: "what it has cached is known exactly",
  approximate: "what it has cached is known by what was sent there",
  blind: "nothing is known of what it has cached",
};

export interface QueueLength {
  readonly pool: string;
  readonly waiting: number;
}

/** What operators see. */
export interface QueueState {
  readonly caches: readonly CacheState[];
  readonly queues: readonly QueueLength[];
}

export interface CacheState {
  readonly pool: string;
  readonly engine: string;
  readonly knowledge: CacheKnowledge;
}

export class PoolQueues implements QueueService {
  readonly #clock: Clock;
  readonly #log: QueueLog;
  readonly #caches: EngineCaches;
  /** By pool and engine, if engines report their caches. */
  #knowledge = new Map<string, CacheKnowledge>();
  #pools = new Map<string, Pool>();
  #queues = new Map<string, PoolQueue>();
  #capacity: PoolCapacity | undefined;

  constructor(clock: Clock, log: QueueLog) {
    this.#clock = clock;
    this.#log = log;
    this.#caches = new EngineCaches(
      (pool, engine) => this.#restarted(pool, engine),
      (pool, engine, why) =>
        log("warn", `${nameOf(pool, engine)} cannot be followed: ${why}; see docs/kv-events.md`),
      (message) => log("warn", message),
    );
  }

  /** From now on these are the pools. Requests that wait go on waiting; what was learned stays with the engines. */
  use(pools: Iterable<Pool>): void {
    const before = this.#queues;
    const all = [...pools];
    this.#pools = new Map(all.map((pool) => [pool.name, pool]));
    const capacity = new PoolCapacity(this.#pools, this.#capacity, () => this.#capacityFreed());
    this.#capacity = capacity;
    this.#queues = new Map();
    for (const pool of all) {
      const { queue: config } = pool.config;
      if (config === undefined) continue;
      const queue = before.get(pool.name) ?? new PoolQueue(pool, config, capacity, this.#clock);
      queue.use(pool, config, capacity);
      this.#queues.set(pool.name, queue);
    }
    this.#caches.use(all);
    for (const [name, queue] of this.#queues) queue.follow(this.#caches.of(name));
    for (const [name, queue] of before) if (!this.#queues.has(name)) queue.close();
  }

  ticket(request: QueueRequest, listener: QueueListener): Ticket {
    const queue = this.#queues.get(request.pool);
    // If a reload has removed the queue, there is nothing to wait for.
    return queue?.ticket(request, listener) ?? new FreeTicket(listener);
  }

  /** Requests that wait, have an engine and are not prefilled, and places that requests have to give back. */
  get size(): number {
    let size = this.#capacity?.reservedCount ?? 0;
    for (const queue of this.#queues.values()) size += queue.waitingCount + queue.placedCount;
    return size;
  }

  /** How many requests wait in each queue. */
  queues(): QueueLength[] {
    return [...this.#queues].map(([pool, { waitingCount }]) => ({ pool, waiting: waitingCount }));
  }

  leadingTokens(name: string, tokenIds: Int32Array, found: (tokens: LeadingTokens) => void): void {
    const pool = this.#pools.get(name);
    found(pool === undefined ? new Map() : this.#caches.leadingTokens(pool, tokenIds));
  }

  /** What is known of the cache of each engine that its queue places prompts on, or that reports it. */
  caches(): CacheState[] {
    return [...this.#pools.values()].flatMap((pool) => {
      const knowledge = this.#queues.get(pool.name)?.cacheKnowledge() ?? this.#knowledgeOf(pool);
      return knowledge.map((one, index) => ({
        pool: pool.name,
        engine: pool.addresses[index]!,
        knowledge: one,
      }));
    });
  }

  state(): QueueState {
    return { caches: this.caches(), queues: this.queues() };
  }

  tick(): void {
    for (const queue of this.#queues.values()) queue.tick();
    this.#logKnowledge();
  }

  /** This process takes no new requests: engines that dial out may connect to the one that does. */
  drain(): void {
    this.#caches.stopListening();
  }

  close(): void {
    this.#caches.close();
  }

  #capacityFreed(): void {
    for (const queue of this.#queues.values()) queue.capacityFreed();
  }

  /** Policies that pick at once read it from the scoreboard, in all workers. */
  #restarted(name: string, engine: string): void {
    this.#queues.get(name)?.forgetCache(engine);
    const pool = this.#pools.get(name);
    const index = pool?.addresses.indexOf(engine) ?? -1;
    if (index >= 0) pool!.board.prefixes.clearSlot(pool!.slots[index]!);
  }

  /** Of pools whose policy picks: the policy knows what was sent to the engines. */
  #knowledgeOf({ name }: Pool): CacheKnowledge[] {
    return this.#caches.of(name).map((source) => (source?.cache ? "exact" : "approximate"));
  }

  #logKnowledge(): void {
    const before = this.#knowledge;
    this.#knowledge = new Map();
    for (const { pool, engine, knowledge } of this.caches()) {
      if (this.#pools.get(pool)!.config.kvEvents === undefined) continue;
      const name = nameOf(pool, engine);
      this.#knowledge.set(name, knowledge);
      if (before.get(name) === knowledge) continue;
      this.#log("info", `${name}: ${knowledgeWords[knowledge]}`);
    }
  }
}

/** For a pool that has no queue. */
class FreeTicket implements Ticket {
  readonly #listener: QueueListener;

  constructor(listener: QueueListener) {
    this.#listener = listener;
  }

  enqueue(): void {
    this.#listener.granted("", []);
  }

  prefillDone(): void {}

  releasePrefill(): void {}

  cancel(): void {}
}

function nameOf(pool: string, engine: string): string {
  return `engine ${engine} of pool "${pool}"`;
}
