/** The conditions of a simulation as a report shows them, so that it can be repeated. */
import { percentiles } from "../metrics.ts";
import type { SimulateOptions } from "../simulate.ts";
import { defaultSlo, sloText } from "../slo.ts";
import { distinctBlocks, type TraceRequest } from "../trace.ts";
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
  return [
    ["trace", `${trace.length} requests in ${duration(lastMs)}${rate}`],
    [
      "tokens",
      `prompts of ${shortNumber(inputs.p50)} (p99 ${shortNumber(inputs.p99)}), outputs of ${shortNumber(outputs.p50)} (p99 ${shortNumber(outputs.p99)})`,
    ],
    [
      "engines",
      `${options.prefill} prefill, ${options.decode} decode (${options.decodePolicy}); each prefill cache holds ${percent(cacheFraction)} of ${distinctBlocks(trace)} distinct blocks`,
    ],
    ["profile", `${profile.name}: ${profile.source}`],
    ["variation", variation.join(", ")],
    ["SLO", sloText(options.slo ?? defaultSlo)],
  ];
}
