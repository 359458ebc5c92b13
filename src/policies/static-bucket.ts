/**
 * Engines in buckets by the prompt's bytes, with fixed bounds between them: the original's static buckets, which it
 * made of `map` and an upstream for each bucket. A prompt of a bound's size or more belongs above it. In a bucket:
 * fewest bytes in flight.
 */

import { Buckets } from "./shared/buckets.ts";
import { definePolicy } from "./shared/define-policy.ts";
import { integers, type ValuesOf } from "./shared/options.ts";
import type { Policy, PolicyDeps } from "./shared/policy.ts";

const options = {
  bounds: integers({
    min: 1,
    max: Number.MAX_SAFE_INTEGER,
    list: { min: 1, max: 64 },
    default: [12_000],
    unit: "bytes",
    about:
      "Bounds between the buckets, ascending. Engines are shared out to the buckets in their order.",
  }),
};

type Options = ValuesOf<typeof options>;

export const staticBucket = definePolicy({
  name: "static_bucket",
  summary: "Engines in buckets by the prompt's length, with fixed bounds.",
  when: "engines kept free for short prompts",
  source: "the original",
  notes: "Engines are shared out to the buckets in the order of the configuration.",
  options,
  // Requests of one length all go to the engines of one bucket.
  weights: "none",
  variants: [{ bounds: [1, 100, 1_000] }],
  nginx: { list: "bounds" },
  create,
});

function create({ pool, random }: PolicyDeps, { bounds }: Options): Policy {
  const buckets = new Buckets(pool, bounds.length + 1, random);
  return {
    pick(candidates, request) {
      let bucket = 0;
      while (bucket < bounds.length && request.bytes >= bounds[bucket]!) bucket += 1;
      return buckets.pick(candidates, request, bucket);
    },
  };
}
