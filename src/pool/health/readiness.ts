/** Whether routes can serve requests: each needs a fit engine in its pools, or in those of one of its models. */
import type { Pool } from "../pool.ts";

/** The pools of a route, or of one of its models, as far as the configuration alone says them. */
export interface RoutePools {
  readonly prefillPool: Pool | undefined;
  readonly targetPool: Pool | undefined;
}

/** Names of the pools in which no engine is fit. */
export interface UnfitPools {
  /** Of routes that can serve nothing. */
  readonly needed: readonly string[];
  /** Of models whose route can still serve another one. */
  readonly spared: readonly string[];
}

/** @param routes each as its models, one if it has no `models`  @param nowMs since the epoch */
export function unfitPools(routes: Iterable<readonly RoutePools[]>, nowMs: number): UnfitPools {
  const needed = new Set<string>();
  const spared = new Set<string>();
  for (const models of routes) {
    const unfit = models.map((pools) => unfitOf(pools, nowMs));
    const serves = unfit.some((names) => names.length === 0);
    for (const name of unfit.flat()) (serves ? spared : needed).add(name);
  }
  return { needed: [...needed], spared: [...spared].filter((name) => !needed.has(name)) };
}

function unfitOf({ prefillPool, targetPool }: RoutePools, nowMs: number): string[] {
  return [prefillPool, targetPool].flatMap((pool) => {
    if (pool?.engines.some((engine) => pool.health.isFit(engine, nowMs)) !== false) return [];
    return [pool.name];
  });
}
