/** What `top` knows at one moment, and what happened between two of them. */
import type { PoolReport } from "../../control/admin/engines.ts";
import type { AdminClient } from "../admin/admin-client.ts";

/** Sums of the proxy's counters. */
interface Counters {
  readonly requests: number;
  readonly failed: number;
  readonly outputTokens: number;
  readonly ttft: Mean;
  readonly tpot: Mean;
}

interface Mean {
  readonly sumSeconds: number;
  readonly count: number;
}

export interface Sample {
  readonly atMs: number;
  readonly pools: readonly PoolReport[];
  readonly counters: Counters;
}

/** Of the time between two samples. Undefined = nothing was measured in it. */
export interface Rates {
  readonly requestsPerSecond: number;
  readonly failedPerSecond: number;
  readonly outputTokensPerSecond: number;
  readonly ttftMs: number | undefined;
  readonly tpotMs: number | undefined;
}

/** Throws `AdminFailure`. */
export async function takeSample(client: AdminClient, nowMs: () => number): Promise<Sample> {
  const [engines, metrics] = await Promise.all([
    client.get<{ pools: PoolReport[] }>("GET", "/admin/engines"),
    client.ask("GET", "/admin/metrics"),
  ]);
  return { atMs: nowMs(), pools: engines.pools, counters: countersOf(metrics.text) };
}

/** @param text metrics as Prometheus reads them */
export function countersOf(text: string): Counters {
  const series = [...text.matchAll(/^(global_proxy_\w+)(\{[^\n]*\})? (\S+)$/gm)];
  const sum = (name: string, isWanted: (labels: string) => boolean = () => true) =>
    series
      .filter(([, of, labels = ""]) => of === `global_proxy_${name}` && isWanted(labels))
      .reduce((total, [, , , value]) => total + Number(value), 0);
  const mean = (name: string) => ({
    sumSeconds: sum(`${name}_seconds_sum`),
    count: sum(`${name}_seconds_count`),
  });
  return {
    requests: sum("requests_total"),
    failed: sum("requests_total", (labels) => /status="5\d\d"/.test(labels)),
    outputTokens: sum("output_tokens_total"),
    ttft: mean("time_to_first_token"),
    tpot: mean("time_per_output_token"),
  };
}

export function ratesBetween(before: Sample, now: Sample): Rates {
  const seconds = Math.max(0.001, (now.atMs - before.atMs) / 1_000);
  // Counters start again with another process.
  const rate = (of: (counters: Counters) => number) =>
    Math.max(0, of(now.counters) - of(before.counters)) / seconds;
  const mean = (of: (counters: Counters) => Mean) => {
    const [a, b] = [of(before.counters), of(now.counters)];
    return b.count > a.count
      ? ((b.sumSeconds - a.sumSeconds) / (b.count - a.count)) * 1_000
      : undefined;
  };
  return {
    requestsPerSecond: rate(({ requests }) => requests),
    failedPerSecond: rate(({ failed }) => failed),
    outputTokensPerSecond: rate(({ outputTokens }) => outputTokens),
    ttftMs: mean(({ ttft }) => ttft),
    tpotMs: mean(({ tpot }) => tpot),
  };
}
