/**
 * The original's greedy_timeout: the engine that is expected to be done first with all it was given, ties at random.
 *
 * A prompt is expected to take `warmup + kilobytes ^ exp` ms, divided by the engine's weight, from when the engine is done with the rest or from now.
 * An engine with nothing in flight is available now, whatever was expected. (The original took bytes and seconds, by which a prompt
 * of 4,000 bytes takes five weeks, and never looked at what had ended. In kilobytes and ms the documented 5 and 1.8 give 1.8 s for
 * 16,000 tokens.)
 */
import { LowestScore } from "./shared/lowest-score.ts";
import type { Candidates, PickRequest, Policy, PolicyDeps } from "./shared/policy.ts";

export interface GreedyTimeoutOptions {
  readonly warmup: number;
  readonly exp: number;
}

export function greedyTimeout(
  { pool, random }: PolicyDeps,
  { warmup, exp }: GreedyTimeoutOptions,
): Policy {
  const { board, slots, weights } = pool;
  const least = new LowestScore(pool.size, random);
  const now = new Float64Array(1);
  /** From now: a time since 1970 would be a new object for each engine that is asked about. */
  function availableInMs(engine: number): number {
    const slot = slots[engine]!;
    return board.inFlight(slot) === 0 ? 0 : Math.max(0, board.availableAt(slot) - now[0]!);
  }
  return {
    pick(candidates: Candidates, request: PickRequest): number {
      now[0] = request.clock.wallMs();
      return least.of(candidates, request, availableInMs);
    },
    assigned(engine: number, { bytes, clock }: PickRequest): void {
      const slot = slots[engine]!;
      const nowMs = clock.wallMs();
      // This request's own place is taken already.
      const isFirst = board.inFlight(slot) <= 1;
      const fromMs = isFirst ? nowMs : Math.max(nowMs, board.availableAt(slot));
      const ownMs = warmup + (bytes / 1000) ** exp;
      board.setAvailableAt(slot, fromMs + ownMs / weights[engine]!);
    },
  };
}
