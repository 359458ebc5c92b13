/** The engines, as operators are told of them. */
import type { EngineSeen } from "../../fleet/explanation.ts";
import type { CacheKnowledge } from "../../fleet/held-pool.ts";
import type { CacheState } from "../../fleet/held-pools.ts";
import type { Pool } from "../../fleet/pool.ts";

export interface EngineReport {
  readonly engine: string;
  /** Whether it takes requests, and why not. */
  readonly state: EngineSeen["state"];
  readonly weight: number;
  /** Requests of all workers there, and bytes of their prompts. */
  readonly inFlight: number;
  readonly promptBytes: number;
  /** Counted towards `maxFails`. */
  readonly failures: number;
  /** How well is known what it has cached, where prompts are held for it. */
  readonly cache?: CacheKnowledge;
}

export interface PoolReport {
  readonly pool: string;
  readonly policy: string;
  readonly engines: readonly EngineReport[];
}

/** @param nowMs since the epoch */
export function poolReports(
  pools: readonly Pool[],
  caches: readonly CacheState[],
  nowMs: number,
): PoolReport[] {
  const knowledge = new Map(caches.map((one) => [`${one.pool} ${one.engine}`, one.knowledge]));
  return pools.map((pool) => ({
    pool: pool.name,
    policy: pool.config.policy.name,
    engines: pool.engines.map((engine) => {
      const { name, number, slot } = engine;
      const cache = knowledge.get(`${pool.name} ${name}`);
      return {
        engine: name,
        state: pool.stateOf(engine, nowMs),
        weight: pool.weights[number]!,
        inFlight: pool.board.inFlight(slot),
        promptBytes: pool.board.promptBytes(slot),
        failures: pool.board.fails(slot),
        ...(cache !== undefined && { cache }),
      };
    }),
  }));
}
