/** Reduces a replay to the few hundred numbers that its plots show, so that reports of long traces stay small. */
import { byDecile, percentiles } from "../results/metrics.ts";
import type { Replayed } from "../simulate.ts";

export interface Decile {
  readonly fromTokens: number;
  readonly toTokens: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
}

export interface Series {
  readonly policy: string;
  readonly scale: number;
  /** TTFT in ms, and the share of requests whose first token had arrived by then. */
  readonly ttft: readonly (readonly [ms: number, share: number])[];
  readonly deciles: readonly Decile[];
  /** Time in ms, and the cached share of the prompt tokens that arrived around then. */
  readonly hits: readonly (readonly [ms: number, share: number])[];
  readonly endMs: number;
  /** For each engine the share in use: of its time (prefill), of its KV cache (decode). */
  readonly prefill: readonly (readonly number[])[];
  readonly decode: readonly (readonly number[])[];
}

const quantiles = 200;
const timeParts = 120;
const hitParts = 40;

export function seriesOf({ policy, scale, outcomes, utilization }: Replayed): Series {
  const done = outcomes.filter(({ doneMs }) => doneMs >= 0);
  const endMs = done.reduce((latest, { doneMs }) => Math.max(latest, doneMs), 1);
  const ttfts = Float64Array.from(done, (one) => one.firstTokenMs - one.arrivedMs).sort();
  return {
    policy,
    scale,
    ttft: cumulative(ttfts),
    deciles: byDecile(done)
      .filter((ones) => ones.length > 0)
      .map((ones) => {
        const { p50, p90 } = percentiles(ones.map((one) => one.firstTokenMs - one.arrivedMs));
        return {
          fromTokens: ones[0]!.request.inputTokens,
          toTokens: ones.at(-1)!.request.inputTokens,
          p50Ms: p50,
          p90Ms: p90,
        };
      }),
    hits: hitRates(done),
    endMs,
    prefill: utilization.shares("prefill", timeParts, endMs),
    decode: utilization.shares("decode", timeParts, endMs),
  };
}

function cumulative(sorted: Float64Array): [number, number][] {
  if (sorted.length === 0) return [];
  return Array.from({ length: quantiles + 1 }, (_, i) => {
    const share = i / quantiles;
    return [sorted[Math.round(share * (sorted.length - 1))]!, share];
  });
}

function hitRates(done: Replayed["outcomes"]): [number, number][] {
  const lastMs = done.reduce((latest, { arrivedMs }) => Math.max(latest, arrivedMs), 1);
  const partMs = lastMs / hitParts;
  const cached = new Array<number>(hitParts).fill(0);
  const tokens = new Array<number>(hitParts).fill(0);
  for (const { arrivedMs, cachedTokens, request } of done) {
    const part = Math.min(hitParts - 1, Math.floor(arrivedMs / partMs));
    cached[part]! += cachedTokens;
    tokens[part]! += request.inputTokens;
  }
  return tokens.flatMap((all, part): [number, number][] =>
    all === 0 ? [] : [[(part + 0.5) * partMs, cached[part]! / all]],
  );
}
