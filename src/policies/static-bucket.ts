/**
 * Engines in buckets by the prompt's bytes, with fixed bounds between them: the original's static buckets, which it made of `map` and an upstream
 * for each bucket. A prompt of a bound's size or more belongs above it. In a bucket: fewest bytes in flight.
 */
import { Buckets } from "./shared/buckets.ts";
import type { Policy, PolicyDeps } from "./shared/policy.ts";

export interface StaticBucketOptions {
  /** Bytes, ascending: one bucket more than bounds. */
  readonly bounds: readonly number[];
}

export function staticBucket(
  { pool, random }: PolicyDeps,
  { bounds }: StaticBucketOptions,
): Policy {
  const buckets = new Buckets(pool, bounds.length + 1, random);
  return {
    pick(candidates, request) {
      let bucket = 0;
      while (bucket < bounds.length && request.bytes >= bounds[bucket]!) bucket += 1;
      return buckets.pick(candidates, request, bucket);
    },
  };
}
