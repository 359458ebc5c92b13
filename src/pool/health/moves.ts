/** When a request that has failed only moves to where it would go if it came now. */
import { failuresThatMoveRequests } from "../../limits.ts";
import { type Engine, hasCapacity } from "../engine.ts";
import type { Pool } from "../pool.ts";

/**
 * Whether the engine gets no requests at present, or fails again and again, and another one of its pool takes them that
 * has not failed since its last response: then a retry is no more load than the first engine's absence. While most of a
 * pool fails there is no such engine.
 * @param tried slots of the engines that the leg has tried
 */
export function isMove(
  pool: Pool,
  engine: Engine,
  tried: readonly number[],
  nowMs: number,
): boolean {
  const { board, health, hasQueue } = pool;
  const isFailing = health.failuresOf(engine) >= failuresThatMoveRequests;
  if (!isFailing && pool.isAvailable(engine, nowMs)) return false;
  return pool.engines.some((other) => {
    if (tried.includes(other.slot) || health.failuresOf(other) > 0) return false;
    if (health.isBusy(other, nowMs) || !pool.isAvailable(other, nowMs)) return false;
    return hasQueue || hasCapacity(other, board);
  });
}
