/** A pool as a policy sees it, without a fleet: engines, weights, a board, and a set of candidates. */
import type { Candidates, PickRequest, PoolView } from "../../src/policies/shared/policy.ts";
import { createScoreboardMemory, Scoreboard } from "../../src/scoreboard/scoreboard.ts";

export function poolOf(weights: readonly number[], addresses?: readonly string[]): PoolView {
  const size = weights.length;
  // Slots are not the engines' numbers, so that one taken for the other shows.
  const slots = Int32Array.from({ length: size }, (_, i) => size - i);
  const memory = createScoreboardMemory({ workers: 1, slots: size + 1 });
  return {
    size,
    weights: Float64Array.from(weights),
    addresses: addresses ?? weights.map((_, i) => `10.0.0.${i + 1}:8000`),
    slots,
    board: new Scoreboard(memory, 0),
  };
}

/** Candidates in ascending order, as a pool gives them. */
export function among(pool: PoolView, engines?: readonly number[]): Candidates {
  const chosen = engines ?? Array.from({ length: pool.size }, (_, i) => i);
  const numbers = new Int32Array(pool.size);
  numbers.set(chosen);
  return { count: chosen.length, engines: numbers, has: (engine) => chosen.includes(engine) };
}

export function request(part: Partial<PickRequest> = {}): PickRequest {
  return {
    bytes: 100,
    tokens: 25,
    blocks: [],
    clientAddress: "192.0.2.7",
    key: "session-1",
    clock: { wallMs: () => 0 },
    ...part,
  };
}

/** How often each engine was chosen. */
export function countPicks(size: number, picks: Iterable<number>): number[] {
  const counts = new Array<number>(size).fill(0);
  for (const pick of picks) counts[pick]! += 1;
  return counts;
}
