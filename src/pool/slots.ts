/**
 * Which slot of the scoreboard belongs to which engine. Kept by the main thread; a slot follows an identity over
 * reloads.
 */
import type { Config } from "../config/schema/schema.ts";
import { enginesOf } from "./engines.ts";

/** Slot by identity, as handed to the workers. */
export type SlotsByIdentity = Readonly<Record<string, number>>;

/**
 * The same engine in two pools has two loads, so the pool's name is part of its identity.
 * @param name of the engine, with its rank
 */
export function engineIdentity(pool: string, name: string): string {
  return `${pool} ${name}`;
}

export class SlotTable {
  readonly #slots = new Map<string, number>();
  readonly #free: number[] = [];
  readonly #capacity: number;
  readonly #clear: (slot: number) => void;
  #next = 0;

  /** @param clear is called with a slot before a new engine gets it. */
  constructor(capacity: number, clear: (slot: number) => void) {
    this.#capacity = capacity;
    this.#clear = clear;
  }

  /**
   * Slots for all engines of a configuration; known ones keep theirs. Throws when there are more engines than slots.
   */
  assign(config: Config): SlotsByIdentity {
    const wanted = Object.entries(config.pools).flatMap(([pool, poolConfig]) =>
      enginesOf(poolConfig).map(({ name }) => engineIdentity(pool, name)),
    );
    for (const identity of wanted) {
      if (!this.#slots.has(identity)) this.#slots.set(identity, this.#take());
    }
    return Object.fromEntries(wanted.map((identity) => [identity, this.#slots.get(identity)!]));
  }

  /** Frees the slots of engines that are in no current configuration, once nothing is in flight there. */
  release(identity: string): void {
    const slot = this.#slots.get(identity);
    if (slot === undefined) return;
    this.#slots.delete(identity);
    this.#free.push(slot);
  }

  identities(): IterableIterator<[string, number]> {
    return this.#slots.entries();
  }

  #take(): number {
    const slot = this.#free.pop() ?? this.#next;
    if (slot >= this.#capacity) throw new Error(`more than ${this.#capacity} engines`);
    if (slot === this.#next) this.#next += 1;
    this.#clear(slot);
    return slot;
  }
}
