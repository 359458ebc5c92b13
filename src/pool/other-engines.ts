/** Whether a pool has another engine for a request that has tried some of them. */
import { type Engine, hasCapacity } from "./engine.ts";
import type { Pool } from "./pool.ts";
import type { ModelHolders } from "./served-models.ts";

/** The engines that a request has not tried. */
export interface Untried {
  readonly pool: Pool;
  /** Slots of those that it has. */
  readonly tried: readonly number[];
  /** Those that serve its model; undefined = all may. */
  readonly holders: ModelHolders | undefined;
}

/** Whether one would be given the request now, or later if requests wait for capacity. */
export function hasOther({ pool, tried, holders }: Untried, nowMs: number): boolean {
  return pool.engines.some((engine) => {
    if (!isLeft(engine, tried, holders) || !pool.isAvailable(engine, nowMs)) return false;
    return pool.hasQueue || hasCapacity(engine, pool.board);
  });
}

/** Whether there is an ejected one that a request would be given which has failed at all others. */
export function hasLastResort({ pool, tried, holders }: Untried, nowMs: number): boolean {
  return pool.engines.some((engine) => {
    if (!isLeft(engine, tried, holders) || !pool.health.isLastResort(engine, nowMs)) return false;
    return hasCapacity(engine, pool.board);
  });
}

function isLeft(
  { slot, index }: Engine,
  tried: readonly number[],
  holders: ModelHolders | undefined,
): boolean {
  return holders?.[index] !== 0 && !tried.includes(slot);
}
