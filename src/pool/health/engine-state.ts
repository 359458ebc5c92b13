/** The state of an engine in one word, for operators: what becomes of it, and not whether it is free at the moment. */
import { type Engine, hasCapacity } from "../engine.ts";
import type { Pool } from "../pool.ts";

/**
 * `starting`: it has said that it is not ready yet, or what its dialect must know of it is missing. `healthy`: it takes
 * requests. `degraded`: it takes fewer than it should, or only for want of others. `ejected`: its requests or health
 * checks fail. `draining`: it takes nothing new, and finishes what it has. `down`: the configuration takes it out.
 */
export const engineStates = [
  "starting",
  "healthy",
  "degraded",
  "ejected",
  "draining",
  "down",
] as const;
export type EngineState = (typeof engineStates)[number];

export const engineStateReasons = [
  "busy",
  "failing",
  "full",
  "health-check",
  "slow-start",
] as const;

export interface EngineStateReport {
  readonly state: EngineState;
  /** Why it is `degraded` or `ejected`; `full` of a healthy one = it has `maxConns` requests. */
  readonly why?: (typeof engineStateReasons)[number];
}

/** @param nowMs since the epoch */
export function engineStateOf(pool: Pool, engine: Engine, nowMs: number): EngineStateReport {
  const { health, board } = pool;
  if (engine.down) return { state: "down" };
  if (engine.isDraining) return { state: "draining" };
  if (!engine.isReady) return { state: "starting" };
  const isUnhealthy = board.health.isUnhealthy(engine.slot);
  if (isUnhealthy || health.isEjected(engine, nowMs)) {
    const why = isUnhealthy ? "health-check" : "failing";
    // In panic the engines that seem ill are used as well.
    return { state: health.isAvailable(engine, nowMs) ? "degraded" : "ejected", why };
  }
  if (!health.isFit(engine, nowMs)) return { state: "degraded", why: "failing" };
  if (health.isBusy(engine, nowMs)) return { state: "degraded", why: "busy" };
  if (pool.weights[engine.index]! < engine.weight) return { state: "degraded", why: "slow-start" };
  return hasCapacity(engine, board) ? { state: "healthy" } : { state: "healthy", why: "full" };
}
