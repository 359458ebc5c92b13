/**
 * The original's greedy_timeout: the engine that is expected to complete first all that it was given, ties at random.
 *
 * A prompt is expected to take `warmup + kilobytes ^ exp` ms, divided by the engine's weight, from when the engine has
 * completed the rest, or from now. An engine with nothing in flight is available now, whatever was expected. The
 * original took bytes and seconds, by which a prompt of 4,000 bytes takes five weeks, and never looked at what had
 * ended. In kilobytes and ms the documented 5 and 1.8 give 1.8 s for 16,000 tokens.
 */

import { definePolicy } from "./shared/define-policy.ts";
import { LowestScore } from "./shared/lowest-score.ts";
import { number, type ValuesOf } from "./shared/options.ts";
import type { Candidates, PickRequest, Policy, PolicyDeps } from "./shared/policy.ts";

const options = {
  warmup: number({
    min: 0,
    max: 1e6,
    default: 5,
    unit: "ms",
    about: "Time that each prompt takes at least.",
  }),
  exp: number({
    min: 0,
    max: 4,
    default: 1.8,
    about: "A prompt takes its kilobytes to this power, in ms, beside `warmup`.",
  }),
};

type Options = ValuesOf<typeof options>;

export const greedyTimeout = definePolicy({
  name: "greedy_timeout",
  summary: "The engine that is expected to complete first all that it was given.",
  when: "configurations of the original",
  source: "the original",
  options,
  variants: [{ warmup: 0, exp: 0 }],
  nginx: {
    form: "on_off",
    settings: { greedy_timeout_warmup: "warmup", greedy_timeout_exp: "exp" },
    zones: ["greedy_timeout_shm_size"],
  },
  create,
});

function create({ pool, random }: PolicyDeps, { warmup, exp }: Options): Policy {
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
