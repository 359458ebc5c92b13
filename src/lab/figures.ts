/** What a replay is judged by. */
import type { Outcome } from "./fleet.ts";
import { type EngineProfile, unloadedTtftMs } from "./profile.ts";

export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

export interface Figures {
  readonly completed: number;
  readonly refused: number;
  readonly ttftMs: Percentiles;
  readonly tpotMs: Percentiles;
  /** Cached tokens of all prompt tokens. */
  readonly hitRate: number;
  /** Jain's index of the TTFTs, each relative to what the request would have on an empty fleet. */
  readonly jain: number;
  /** Share of requests that meet the SLO. */
  readonly attained: number;
  /** The same in the worst decile of input length. */
  readonly attainedWorst: number;
}

/** TTFT at most so many times a request's own on an empty, cold fleet, and a constant; and a bound of TPOT. */
export interface Slo {
  readonly ttftFactor: number;
  readonly ttftExtraMs: number;
  readonly tpotMs: number;
  /** Of all requests, so many have to meet it. */
  readonly share: number;
}

export const defaultSlo: Slo = { ttftFactor: 5, ttftExtraMs: 1_000, tpotMs: 60, share: 0.9 };

const deciles = 10;

export function figuresOf(outcomes: readonly Outcome[], profile: EngineProfile, slo: Slo): Figures {
  const done = outcomes.filter(({ doneMs }) => doneMs >= 0);
  const ttfts = done.map((one) => one.firstTokenMs - one.arrivedMs);
  const slowdowns = done.map(
    (one, i) => ttfts[i]! / unloadedTtftMs(profile, one.request.inputTokens),
  );
  const tpots = done.filter(({ request }) => request.outputTokens > 1).map(tpotOf);
  const tokens = sum(done.map(({ request }) => request.inputTokens));
  const met = (ones: readonly Outcome[]) =>
    ones.length === 0 ? 1 : ones.filter((one) => meets(one, profile, slo)).length / ones.length;
  return {
    completed: done.length,
    refused: outcomes.length - done.length,
    ttftMs: percentiles(ttfts),
    tpotMs: percentiles(tpots),
    hitRate: tokens === 0 ? 0 : sum(done.map(({ cachedTokens }) => cachedTokens)) / tokens,
    jain: jain(slowdowns),
    attained: met(outcomes),
    attainedWorst: Math.min(...byDecile(outcomes).map(met)),
  };
}

/** Tenths of the requests by input length, the shortest first. */
export function byDecile(outcomes: readonly Outcome[]): Outcome[][] {
  const sorted = outcomes.toSorted((a, b) => a.request.inputTokens - b.request.inputTokens);
  return Array.from({ length: deciles }, (_, i) =>
    sorted.slice(
      Math.floor((i * sorted.length) / deciles),
      Math.floor(((i + 1) * sorted.length) / deciles),
    ),
  );
}

function tpotOf({ request, firstTokenMs, doneMs }: Outcome): number {
  return request.outputTokens > 1 ? (doneMs - firstTokenMs) / (request.outputTokens - 1) : 0;
}

function meets(one: Outcome, profile: EngineProfile, slo: Slo): boolean {
  if (one.doneMs < 0) return false;
  const bound = slo.ttftFactor * unloadedTtftMs(profile, one.request.inputTokens) + slo.ttftExtraMs;
  return one.firstTokenMs - one.arrivedMs <= bound && tpotOf(one) <= slo.tpotMs;
}

function sum(values: readonly number[]): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

/** (Σx)² / (n Σx²): 1 = all alike, 1/n = one has it all. */
export function jain(values: readonly number[]): number {
  if (values.length === 0) return 1;
  let squares = 0;
  for (const value of values) squares += value * value;
  return squares === 0 ? 1 : sum(values) ** 2 / (values.length * squares);
}

/** Nearest rank. */
export function percentiles(values: readonly number[]): Percentiles {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}

/** Rate scales that are looked at first, and the widest range: a trace may be of a fleet that is much smaller or larger. */
const usualScales = { least: 0.02, most: 16 };
export const searchedScales = { least: 0.0005, most: 4096 };

/**
 * The highest scale at which a share of at least `least` is attained, by bisection over the logarithm: to within 1 %. 0 = none is.
 * @param attains share at a scale
 * @param most no higher scale is tried
 */
export function highestScale(
  attains: (scale: number) => number,
  least: number,
  most = searchedScales.most,
): number {
  let low = usualScales.least;
  let high = Math.min(most, usualScales.most);
  let hasFailed = false;
  if (attains(low) < least) {
    high = low;
    low = searchedScales.least;
    hasFailed = true;
    if (attains(low) < least) return 0;
  }
  for (;;) {
    while (high / low > 1.01) {
      const middle = Math.sqrt(low * high);
      if (attains(middle) >= least) low = middle;
      else {
        high = middle;
        hasFailed = true;
      }
    }
    if (hasFailed || high === most) return low;
    high = Math.min(most, high * usualScales.most);
  }
}
