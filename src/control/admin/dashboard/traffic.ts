/** Requests per second and quantiles of their times, from what workers count: the difference of two moments. */
import {
  type MetricsMemory,
  rowFields,
  sourcesOf,
} from "../../../observe/metrics/metrics-memory.ts";
import { requestHistograms } from "../../../observe/metrics/request-definitions.ts";
import { dashboardQuantileMs, dashboardRateMs } from "../../limits.ts";

type Histogram = keyof typeof requestHistograms;

interface Moment {
  readonly atMs: number;
  readonly totals: Float64Array;
  readonly requests: number;
  readonly failed: number;
}

export interface EndedCounts {
  readonly requests: number;
  readonly failed: number;
}

export class Traffic {
  /** The oldest first; the newest is now. */
  #moments: Moment[] = [];

  /** @param atMs of any clock that only grows */
  take(memory: MetricsMemory, { requests, failed }: EndedCounts, atMs: number): void {
    const moments = this.#moments;
    moments.push({ atMs, totals: memory.rows.totals(), requests, failed });
    while (moments.length > 2 && moments[1]!.atMs <= atMs - dashboardQuantileMs) moments.shift();
  }

  get requestsPerSecond(): number | null {
    return this.#rate(({ requests }) => requests);
  }

  get failedPerSecond(): number | null {
    return this.#rate(({ failed }) => failed);
  }

  tokensPerSecond(name: "promptTokens" | "outputTokens"): number | null {
    const at = rowFields[name];
    const count = sourcesOf(name).length;
    return this.#rate(({ totals }) =>
      totals.subarray(at, at + count).reduce((sum, one) => sum + one, 0),
    );
  }

  /** In ms. @param share of 1 */
  quantile(name: Histogram, share: number): number | null {
    const [first, last] = this.#span(dashboardQuantileMs);
    if (first === undefined || last === undefined) return null;
    const { buckets } = requestHistograms[name];
    const at = rowFields[name];
    const counts = Array.from(
      { length: buckets.length + 1 },
      (_, i) => last.totals[at + i]! - first.totals[at + i]!,
    );
    const seconds = quantileOf(counts, buckets, share);
    return seconds === null ? null : seconds * 1_000;
  }

  #rate(count: (moment: Moment) => number): number | null {
    const [first, last] = this.#span(dashboardRateMs);
    if (first === undefined || last === undefined) return null;
    return (Math.max(0, count(last) - count(first)) * 1_000) / (last.atMs - first.atMs);
  }

  /** The newest moment, and the one that is as old as this, or the oldest. */
  #span(ms: number): readonly [Moment?, Moment?] {
    const last = this.#moments.at(-1);
    if (last === undefined || this.#moments.length < 2) return [];
    const first = this.#moments.findLast(({ atMs }) => atMs <= last.atMs - ms);
    return [first ?? this.#moments[0]!, last];
  }
}

/**
 * As Prometheus' histogram_quantile: evenly spread within a bucket; what is above all of them is at the last bound.
 * @returns in the unit of the buckets; null = there is nothing
 */
export function quantileOf(
  counts: readonly number[],
  buckets: readonly number[],
  share: number,
): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total <= 0) return null;
  let rank = share * total;
  for (const [i, bound] of buckets.entries()) {
    const count = counts[i]!;
    const below = buckets[i - 1] ?? 0;
    if (count > 0 && rank <= count) return below + (bound - below) * (rank / count);
    rank -= count;
  }
  return buckets.at(-1)!;
}
