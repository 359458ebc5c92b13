/** The results of one replay: latencies, hit rate, fairness, and how many requests meet the SLO. */
import type { Outcome } from "../model/fleet.ts";
import { type EngineProfile, unloadedTtftMs } from "../profile.ts";
import type { Slo } from "./slo.ts";

export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

export interface Metrics {
  readonly completed: number;
  readonly refused: number;
  readonly ttftMs: Percentiles;
  readonly tpotMs: Percentiles;
  /** Share of all prompt tokens that were cached. */
  readonly hitRate: number;
  /** Jain's fairness index of the TTFTs, each relative to that of the same request on an empty, cold fleet. */
  readonly jain: number;
  /** Share of requests that meet the SLO. */
  readonly attained: number;
  /** The same in the worst decile of input length. */
  readonly attainedWorst: number;
}

const deciles = 10;

export function metricsOf(outcomes: readonly Outcome[], profile: EngineProfile, slo: Slo): Metrics {
  const done = outcomes.filter(({ doneMs }) => doneMs >= 0);
  const ttfts = done.map((one) => one.firstTokenMs - one.arrivedMs);
  const slowdowns = done.map(
    (one, i) => ttfts[i]! / unloadedTtftMs(profile, one.request.inputTokens),
  );
  const tpots = done.filter(({ request }) => request.outputTokens > 1).map(tpotOf);
  const tokens = sum(done.map(({ request }) => request.inputTokens));
  const attainedBy = (ones: readonly Outcome[]) =>
    ones.length === 0 ? 1 : ones.filter((one) => meets(one, profile, slo)).length / ones.length;
  return {
    completed: done.length,
    refused: outcomes.length - done.length,
    ttftMs: percentiles(ttfts),
    tpotMs: percentiles(tpots),
    hitRate: tokens === 0 ? 0 : sum(done.map(({ cachedTokens }) => cachedTokens)) / tokens,
    jain: jain(slowdowns),
    attained: attainedBy(outcomes),
    attainedWorst: Math.min(...byDecile(outcomes).map(attainedBy)),
  };
}

/** The requests in ten parts by input length, the shortest first. */
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

/** Jain's fairness index, (Σx)² / (n Σx²): 1 = all values are equal, 1/n = all but one are 0. */
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
