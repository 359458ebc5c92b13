/** The state of an engine in one word, for operators: what becomes of it, and not whether it is free at the moment. */
import type { Scoreboard } from "../../scoreboard/scoreboard.ts";
import { type Engine, hasCapacity } from "../engine.ts";
import type { Health } from "./health.ts";

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

/** What a pool knows of its engines. */
export interface PoolHealth {
  readonly health: Health;
  readonly board: Scoreboard;
  /** Those that policies read now, by engine. */
  readonly weights: ArrayLike<number>;
}

/** Each once: explanations ask for the state of all engines at each pick. */
const reports = {
  down: { state: "down" },
  draining: { state: "draining" },
  starting: { state: "starting" },
  unhealthy: { state: "ejected", why: "health-check" },
  ejected: { state: "ejected", why: "failing" },
  unhealthyInUse: { state: "degraded", why: "health-check" },
  failing: { state: "degraded", why: "failing" },
  busy: { state: "degraded", why: "busy" },
  slowStart: { state: "degraded", why: "slow-start" },
  healthy: { state: "healthy" },
  full: { state: "healthy", why: "full" },
} as const satisfies Record<string, EngineStateReport>;

/** @param nowMs since the epoch */
export function engineStateOf(
  { health, board, weights }: PoolHealth,
  engine: Engine,
  nowMs: number,
): EngineStateReport {
  if (engine.down) return reports.down;
  if (engine.isDraining) return reports.draining;
  if (!engine.isReady) return reports.starting;
  // In panic the engines that seem ill are used as well.
  if (board.health.isUnhealthy(engine.slot)) {
    return health.isAvailable(engine, nowMs) ? reports.unhealthyInUse : reports.unhealthy;
  }
  if (health.isEjected(engine, nowMs)) {
    return health.isAvailable(engine, nowMs) ? reports.failing : reports.ejected;
  }
  if (!health.isFit(engine, nowMs)) return reports.failing;
  if (health.isBusy(engine, nowMs)) return reports.busy;
  if (weights[engine.index]! < engine.weight) return reports.slowStart;
  return hasCapacity(engine, board) ? reports.healthy : reports.full;
}
