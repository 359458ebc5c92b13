/** Whether routes can serve requests: each needs a fit engine in each of its pools. */
import type { Pool } from "../pool.ts";

/** The pools of a route, as far as the configuration alone says them. */
export interface RoutePools {
  readonly prefillPool: Pool | undefined;
  readonly targetPool: Pool | undefined;
}

/** Names of the pools in which no engine is fit. @param nowMs since the epoch */
export function unfitPools(routes: Iterable<RoutePools>, nowMs: number): string[] {
  const pools = new Set<Pool>();
  for (const { prefillPool, targetPool } of routes) {
    if (prefillPool !== undefined) pools.add(prefillPool);
    if (targetPool !== undefined) pools.add(targetPool);
  }
  return [...pools]
    .filter(({ engines, health }) => !engines.some((engine) => health.isFit(engine, nowMs)))
    .map(({ name }) => name);
}
