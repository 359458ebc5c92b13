/**
 * The original's dynamic buckets: bounds that follow the load, so that each bucket has as many bytes in flight.
 *
 * In the order of their length, the prompts in flight up to this one have `a` bytes together; all of them have `total`,
 * smoothed over requests: `s ← alpha × total + (1 − alpha) × s`. With B buckets this one belongs to the last whose
 * beginning, `s × i / B`, lies below `a`. Short prompts are in the first bucket, a lone one is in the last. The
 * original's order was the reverse, and of more than two buckets only the outer ones were used. In a bucket: fewest
 * bytes in flight.
 */

import { Buckets } from "./shared/buckets.ts";
import { definePolicy } from "./shared/define-policy.ts";
import { integer, number, type ValuesOf } from "./shared/options.ts";
import type { Candidates, PickRequest, Policy, PolicyDeps } from "./shared/policy.ts";

const options = {
  buckets: integer({ min: 1, max: 64, default: 2, about: "How many buckets." }),
  alpha: number({
    min: 0,
    max: 1,
    default: 0.9,
    about: "Weight of the present load against the one before.",
  }),
};

type Options = ValuesOf<typeof options>;

export const dynamicBucket = definePolicy({
  name: "dynamic_bucket",
  summary:
    "Engines in buckets by the prompt's length, with bounds that give each bucket as many bytes in flight.",
  when: "engines kept free for short prompts, where lengths change over the day",
  source: "the original",
  notes: "Engines are shared out to the buckets in the order of the configuration.",
  options,
  weights: "none",
  variants: [{ buckets: 5, alpha: 0.1 }],
  create,
});

function create({ pool, random }: PolicyDeps, { buckets: count, alpha }: Options): Policy {
  const { prompts } = pool.board;
  /** The pool by its first slot, which it has on the list of prompts. */
  const group = pool.slots[0]!;
  const buckets = new Buckets(pool, count, random);
  const sums = new Float64Array(2);
  let smoothed = 0;
  return {
    pick(candidates: Candidates, request: PickRequest): number {
      const { bytes } = request;
      prompts.sums(group, bytes, sums);
      const upToThis = sums[0]! + bytes;
      const total = sums[1]! + bytes;
      smoothed = alpha * total + (1 - alpha) * smoothed;
      let bucket = 0;
      while (bucket + 1 < count && upToThis > (smoothed * (bucket + 1)) / count) bucket += 1;
      return buckets.pick(candidates, request, bucket);
    },
    assigned(_engine: number, { bytes, clock }: PickRequest): void {
      prompts.add(group, bytes, clock.wallMs());
    },
    ended(_engine: number, bytes: number): void {
      prompts.remove(group, bytes);
    },
  };
}
