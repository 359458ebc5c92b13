/** The queues of all pools whose prompts are held: one for the whole proxy, in its one worker or in the main thread. */
import type { Clock } from "../transport/clock.ts";
import { DecodeRoom } from "./decode-room.ts";
import { HeldPool } from "./held-pool.ts";
import type { Pool } from "./pool.ts";
import type { PromptDesk, PromptWish, Ticket, Waiter } from "./prompt-desk.ts";

export class HeldPools implements PromptDesk {
  readonly #clock: Clock;
  #pools = new Map<string, HeldPool>();
  #room: DecodeRoom | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
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

  tick(): void {
    for (const pool of this.#pools.values()) pool.tick();
  }
}

function nothing(): void {}
