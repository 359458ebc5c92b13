/** The queues of all pools whose prompts are held: one for the whole proxy, in its one worker or in the main thread. */
import type { Clock } from "../transport/clock.ts";
import { DecodeRoom } from "./decode-room.ts";
import { type CacheKnowledge, HeldPool } from "./held-pool.ts";
import { KvFeeds } from "./kv-events/feeds.ts";
import type { Pool } from "./pool.ts";
import type { PromptDesk, PromptWish, Ticket, Waiter } from "./prompt-desk.ts";

/** One line for the error log. */
export type DeskLog = (level: "info" | "warn", message: string) => void;

const knowledgeWords: Readonly<Record<CacheKnowledge, string>> = {
  exact: "what it has cached is known exactly",
  approximate: "what it has cached is known by what was sent there",
  blind: "nothing is known of what it has cached",
};

export interface CacheState {
  readonly pool: string;
  readonly engine: string;
  readonly knowledge: CacheKnowledge;
}

export class HeldPools implements PromptDesk {
  readonly #clock: Clock;
  readonly #log: DeskLog;
  readonly #feeds: KvFeeds;
  /** By pool and engine, where engines tell of their caches. */
  #knowledge = new Map<string, CacheKnowledge>();
  #pools = new Map<string, HeldPool>();
  #room: DecodeRoom | undefined;

  constructor(clock: Clock, log: DeskLog) {
    this.#clock = clock;
    this.#log = log;
    this.#feeds = new KvFeeds((pool, engine) => ({
      restarted: () => this.#pools.get(pool)?.forget(engine),
      lostTrack: (why) => log("warn", `${nameOf(pool, engine)} cannot be followed: ${why}`),
    }));
  }

  /** From now on these are the pools. What waits goes on waiting; what was learnt stays with the engines. */
  use(pools: Iterable<Pool>): void {
    const before = this.#pools;
    const all = [...pools];
    const room = new DecodeRoom(new Map(all.map((pool) => [pool.name, pool])), this.#room);
    this.#room = room;
    this.#pools = new Map();
    for (const pool of all) {
      const config = pool.config.policy;
      if (config.name !== "predictive") continue;
      const old = before.get(pool.name);
      if (old?.takeOver(pool, config, room)) {
        this.#pools.set(pool.name, old);
        continue;
      }
      const next = new HeldPool(pool, config, room, this.#clock);
      if (old !== undefined) next.adopt(old);
      this.#pools.set(pool.name, next);
    }
    for (const held of this.#pools.values()) held.follow(this.#feeds.of(held.pool));
    this.#feeds.closeOthers();
    for (const [name, old] of before) {
      const next = this.#pools.get(name);
      if (next === old) continue;
      for (const ticket of old.takeWaiting()) {
        if (next === undefined) ticket.refused("none-live", 0);
        else ticket.moveTo(next);
      }
    }
  }

  ticket(wish: PromptWish, waiter: Waiter): Ticket {
    const pool = this.#pools.get(wish.pool);
    if (pool !== undefined) return pool.ticket(wish, waiter);
    // A reload has taken it away.
    return {
      wait: () => waiter.refused("none-live", 0),
      done: nothing,
      skip: nothing,
      leave: nothing,
    };
  }

  /** Prompts that wait, or have an engine and are not done. */
  get size(): number {
    let size = 0;
    for (const pool of this.#pools.values()) size += pool.size;
    return size;
  }

  /** What is known of the cache of each engine whose prompts are held. */
  caches(): CacheState[] {
    return [...this.#pools.values()].flatMap((held) =>
      held.cacheKnowledge().map((knowledge, number) => ({
        pool: held.pool.name,
        engine: held.pool.addresses[number]!,
        knowledge,
      })),
    );
  }

  tick(): void {
    for (const pool of this.#pools.values()) pool.tick();
    this.#tellKnowledge();
  }

  close(): void {
    this.#feeds.close();
  }

  #tellKnowledge(): void {
    const before = this.#knowledge;
    this.#knowledge = new Map();
    for (const held of this.#pools.values()) {
      if (held.pool.config.kvEvents === undefined) continue;
      held.cacheKnowledge().forEach((knowledge, number) => {
        const name = nameOf(held.pool.name, held.pool.addresses[number]!);
        this.#knowledge.set(name, knowledge);
        if (before.get(name) === knowledge) return;
        this.#log("info", `${name}: ${knowledgeWords[knowledge]}`);
      });
    }
  }
}

function nameOf(pool: string, engine: string): string {
  return `engine ${engine} of pool "${pool}"`;
}

function nothing(): void {}
