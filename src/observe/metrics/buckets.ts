/** Buckets of histograms, and how a value is counted in them. */

/** Durations in seconds, from 1 ms to 30 min: what a request waits for, and how long it takes. */
export const durationBuckets: readonly number[] = [
  0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 7.5, 10, 15, 20, 30,
  60, 120, 300, 600, 1800,
];

/** Times between tokens in seconds: finer where people notice. */
export const tokenBuckets: readonly number[] = [
  0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2,
  0.3, 0.5, 1, 2.5, 5, 10, 60, 300, 1800,
];

/** How late a timer of an event loop is, in seconds. */
export const lagBuckets: readonly number[] = [
  0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/** Numbers that a histogram takes: one for each bucket, one for what is above all of them, and the sum. */
export function histogramFields(buckets: readonly number[]): number {
  return buckets.length + 2;
}

/** Counts a value in the histogram that begins at `at`. Buckets are not cumulative here: one addition a value. */
export function observe(
  fields: Float64Array,
  at: number,
  buckets: readonly number[],
  value: number,
): void {
  let low = 0;
  let high = buckets.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (buckets[middle]! < value) low = middle + 1;
    else high = middle;
  }
  fields[at + low] = fields[at + low]! + 1;
  const sum = at + buckets.length + 1;
  fields[sum] = fields[sum]! + value;
}
