/**
 * The desk: the queues of all pools whose prompts are held, or wait for room, and what engines have cached by their own word. One for the whole proxy, in its
 * one worker or in the main thread.
 */

import { EngineCaches } from "../kv-events/engine-caches.ts";
import type { Pool } from "../pool/pool.ts";
import type { Clock } from "../transport/clock.ts";
import { CapacityQueue } from "./capacity-queue.ts";
import { PoolCapacity } from "./pool-capacity.ts";
import { type CacheKnowledge, PrefillQueuePool } from "./prefill-queue-pool.ts";
import type {
  LeadingTokens,
  QueueListener,
  QueueRequest,
  QueueService,
  Ticket,
} from "./queue-service.ts";

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

/** What operators are told. */
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
  /** By pool and engine, where engines tell of their caches. */
  #knowledge = new Map<string, CacheKnowledge>();
  #all = new Map<string, Pool>();
  #pools = new Map<string, PrefillQueuePool>();
  #queues = new Map<string, CapacityQueue>();
  #room: PoolCapacity | undefined;

  constructor(clock: Clock, log: QueueLog) {
    this.#clock = clock;
    this.#log = log;
    this.#caches = new EngineCaches(
      (pool, engine) => this.#restarted(pool, engine),
      (pool, engine, why) => log("warn", `${nameOf(pool, engine)} cannot be followed: ${why}`),
    );
  }

  /** From now on these are the pools. What waits goes on waiting; what was learnt stays with the engines. */
  use(pools: Iterable<Pool>): void {
    const before = this.#pools;
    const queuesBefore = this.#queues;
    const all = [...pools];
    this.#all = new Map(all.map((pool) => [pool.name, pool]));
    const room = new PoolCapacity(this.#all, this.#room, () => this.#letIn());
    this.#room = room;
    this.#useQueues(room);
    this.#pools = new Map();
    for (const pool of all) {
      const config = pool.config.policy;
      if (config.name !== "predictive") continue;
      const old = before.get(pool.name);
      if (old?.takeOver(pool, config, room)) {
        this.#pools.set(pool.name, old);
        continue;
      }
      const next = new PrefillQueuePool(pool, config, room, this.#clock);
      if (old !== undefined) next.adopt(old);
      this.#pools.set(pool.name, next);
    }
    this.#caches.use(all);
    for (const [name, held] of this.#pools) held.follow(this.#caches.of(name));
    for (const [name, old] of before) if (this.#pools.get(name) !== old) old.close();
    for (const [name, old] of queuesBefore) if (!this.#queues.has(name)) old.close();
  }

  ticket(queueRequest: QueueRequest, listener: QueueListener): Ticket {
    const pool = this.#pools.get(queueRequest.pool) ?? this.#queues.get(queueRequest.pool);
    if (pool !== undefined) return pool.ticket(queueRequest, listener);
    // A reload has taken the queue away.
    return {
      wait: () => listener.granted("", []),
      done: nothing,
      skip: nothing,
      leave: nothing,
    };
  }

  /** Requests that wait, have an engine and are not prefilled, or have a place that they have to give back. */
  get size(): number {
    let size = this.#room?.admittedCount ?? 0;
    for (const pool of this.#pools.values()) size += pool.size;
    for (const queue of this.#queues.values()) size += queue.size;
    return size;
  }

  /** Of each pool that has a queue, how many wait. */
  queues(): QueueLength[] {
    const held = [...this.#pools].map(([pool, one]) => ({ pool, waiting: one.waitingCount }));
    const others = [...this.#queues].map(([pool, { size }]) => ({ pool, waiting: size }));
    return [...held, ...others];
  }

  leadingTokens(
    name: string,
    tokenIds: Int32Array,
    response: (tokens: LeadingTokens) => void,
  ): void {
    const pool = this.#all.get(name);
    response(pool === undefined ? new Map() : this.#caches.leadingTokens(pool, tokenIds));
  }

  /** What is known of the cache of each engine whose prompts are held, or that tells of it. */
  caches(): CacheState[] {
    return [...this.#all.values()].flatMap((pool) => {
      const held = this.#pools.get(pool.name);
      return (held?.cacheKnowledge() ?? this.#knowledgeOf(pool)).map((knowledge, number) => ({
        pool: pool.name,
        engine: pool.addresses[number]!,
        knowledge,
      }));
    });
  }

  state(): QueueState {
    return { caches: this.caches(), queues: this.queues() };
  }

  tick(): void {
    for (const pool of this.#pools.values()) pool.tick();
    for (const queue of this.#queues.values()) queue.tick();
    this.#tellKnowledge();
  }

  close(): void {
    this.#caches.close();
  }

  #useQueues(room: PoolCapacity): void {
    const before = this.#queues;
    this.#queues = new Map();
    for (const [name, { config, hasQueue }] of this.#all) {
      if (!hasQueue) continue;
      const queue = before.get(name) ?? new CapacityQueue(config.queue!, room, this.#clock);
      queue.use(config.queue!, room);
      this.#queues.set(name, queue);
    }
  }

  #letIn(): void {
    for (const queue of this.#queues.values()) queue.release();
    for (const pool of this.#pools.values()) pool.capacityFreed();
  }

  /** Policies that dispatch at once are told by the scoreboard, in all workers. */
  #restarted(name: string, engine: string): void {
    this.#pools.get(name)?.forget(engine);
    const pool = this.#all.get(name);
    const number = pool?.addresses.indexOf(engine) ?? -1;
    if (number >= 0) pool!.board.prefixes.clearSlot(pool!.slots[number]!);
  }

  /** Of engines whose prompts are sent at once: what they have been sent is for the policies to know. */
  #knowledgeOf({ name }: Pool): CacheKnowledge[] {
    return this.#caches.of(name).map((source) => (source?.cache ? "exact" : "approximate"));
  }

  #tellKnowledge(): void {
    const before = this.#knowledge;
    this.#knowledge = new Map();
    for (const { pool, engine, knowledge } of this.caches()) {
      if (this.#all.get(pool)!.config.kvEvents === undefined) continue;
      const name = nameOf(pool, engine);
      this.#knowledge.set(name, knowledge);
      if (before.get(name) === knowledge) continue;
      this.#log("info", `${name}: ${knowledgeWords[knowledge]}`);
    }
  }
}

function nameOf(pool: string, engine: string): string {
  return `engine ${engine} of pool "${pool}"`;
}

function nothing(): void {}
