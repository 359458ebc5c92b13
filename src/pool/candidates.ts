/** Which engines of a pool could take a request now. */
import type { PickRequest } from "../policies/shared/policy.ts";
import type { Scoreboard } from "../scoreboard/scoreboard.ts";
import { type Engine, hasCapacity } from "./engine.ts";
import { EngineSet } from "./engine-set.ts";
import type { Health } from "./health/health.ts";

/**
 * Engines are asked in this order. `ejected`: they may serve again, and the request has failed at all others; the
 * alternative would be an error.
 */
export type Tier = "primary" | "backup" | "ejected";

export class Candidates {
  readonly set: EngineSet;
  readonly #engines: readonly Engine[];
  readonly #health: Health;
  readonly #board: Scoreboard;

  constructor(engines: readonly Engine[], health: Health, board: Scoreboard) {
    this.set = new EngineSet(engines.length);
    this.#engines = engines;
    this.#health = health;
    this.#board = board;
  }

  /** Finds them. @returns whether some other engine was left out only because it is full */
  collect(tier: Tier, request: PickRequest, tried: readonly number[], nowMs: number): boolean {
    const engines = this.#engines;
    const { requiredEngine, holders } = request;
    let isFull = false;
    this.set.clear();
    for (let i = 0; i < engines.length; i += 1) {
      const engine = engines[i]!;
      if (holders?.[i] === 0) continue;
      if (!this.#isIn(tier, engine, nowMs, requiredEngine === i)) continue;
      if (tried.length > 0 && tried.includes(engine.slot)) continue;
      if (requiredEngine !== undefined && requiredEngine !== i) continue;
      if (hasCapacity(engine, this.#board)) this.set.add(i);
      else isFull = true;
    }
    return isFull;
  }

  /** @param isBound only this engine can serve the request */
  #isIn(tier: Tier, engine: Engine, nowMs: number, isBound: boolean): boolean {
    if (tier === "ejected") return this.#health.isLastResort(engine, nowMs);
    if (engine.backup !== (tier === "backup")) return false;
    return isBound
      ? this.#health.isAvailableToBound(engine, nowMs)
      : this.#health.isAvailable(engine, nowMs);
  }
}
