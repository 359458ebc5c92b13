/** The conditions of a simulation as a report shows them, so that it can be repeated. */
import { type Percentiles, percentiles } from "../results/metrics.ts";
import { defaultSlo, sloText } from "../results/slo.ts";
import type { SimulateOptions } from "../simulate.ts";
import { distinctBlocks, type TraceRequest } from "../traces/trace.ts";
import { duration, percent, shortNumber } from "./axis.ts";
import type { Conditions } from "./page.ts";

export function conditionsOf(trace: readonly TraceRequest[], options: SimulateOptions): Conditions {
  const { profile, slowest, noise, spreadMs, cacheFraction } = options;
  const lastMs = trace.at(-1)!.arrivalMs;
  const inputs = percentiles(trace.map(({ inputTokens }) => inputTokens));
  const outputs = percentiles(trace.map(({ outputTokens }) => outputTokens));
  const rate = lastMs === 0 ? "" : ` (${((trace.length / lastMs) * 1000).toFixed(2)} per second)`;
  const variation = [
    spreadMs > 0 ? `arrivals spread over ${duration(spreadMs)}` : "arrivals as in the trace",
    `noise ${noise}`,
    ...(slowest === 1 ? [] : [`the last prefill engine slower by ${slowest}`]),
    `seed ${options.seed}`,
  ];
  const lengths = ({ p50, p99 }: Percentiles) => `${shortNumber(p50)} (p99 ${shortNumber(p99)})`;
  const fleet = `${options.prefill} prefill, ${options.decode} decode (${options.decodePolicy})`;
  const cache = `${percent(cacheFraction)} of ${distinctBlocks(trace)} distinct blocks`;
  return [
    ["trace", `${trace.length} requests in ${duration(lastMs)}${rate}`],
    ["tokens", `prompts of ${lengths(inputs)}, outputs of ${lengths(outputs)}`],
    ["engines", `${fleet}; each prefill cache holds ${cache}`],
    ["profile", `${profile.name}: ${profile.source}`],
    ["variation", variation.join(", ")],
    ["SLO", sloText(options.slo ?? defaultSlo)],
  ];
}
