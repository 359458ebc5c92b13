/** How many engines a load needs, and how they are best split between prefill and decode. */

import { prefillMs } from "../profile.ts";
import type { FleetSize, Trials } from "../simulate.ts";
import { type TraceRequest, traceBlockTokens } from "../traces/trace.ts";
import { searchedScales } from "./goodput.ts";
import type { Metrics } from "./metrics.ts";
import { defaultSlo } from "./slo.ts";
import { textTable } from "./text-table.ts";

/** The search ends at this many engines, a power of two. */
export const plannedEnginesMax = 512;

export interface Plan extends FleetSize {
  readonly policy: string;
  /** Requests a second of the metrics: the requested rate, or the highest that this fleet serves within the SLO. */
  readonly rate: number;
  readonly metrics: Metrics;
  /** Whether enough requests in each decile of input length meet the SLO at this rate. */
  readonly isEnough: boolean;
}

/** Requests a second of the unscaled trace. */
export function rateOf(trace: readonly TraceRequest[]): number {
  const lastMs = trace.at(-1)!.arrivalMs;
  if (lastMs === 0)
    throw new Error("all requests of the trace arrive at the same time, so it has no rate");
  return (trace.length / lastMs) * 1000;
}

/**
 * The fewest engines that serve a rate. TTFT depends almost only on the prefill engines and TPOT on the decode engines.
 * So this searches the fewest of each while there are plenty of the other, and from there the fewest of both together.
 */
export function leastEngines(trials: Trials, policy: string, scale: number, rate: number): Plan {
  const plan = (fleet: FleetSize): Plan => planAt(trials, policy, scale, rate, fleet);
  const isEnough = (fleet: FleetSize) => plan(fleet).isEnough;
  const busy = Math.max(1, Math.floor(scale * leastBusy(trials)));
  const most = plannedEnginesMax / 2;
  let plenty = Math.min(most, 2 ** Math.ceil(Math.log2(busy)));
  while (!isEnough({ prefill: plenty, decode: plenty })) {
    if (plenty === most) return plan({ prefill: plenty, decode: plenty });
    plenty *= 2;
  }
  const prefillLeast = leastOf(Math.min(busy, plenty), plenty, (prefill) =>
    isEnough({ prefill, decode: plenty }),
  );
  const decodeLeast = leastOf(1, plenty, (decode) => isEnough({ prefill: plenty, decode }));
  for (let more = 0; ; more += 1) {
    for (let extra = more; extra >= 0; extra -= 1) {
      const fleet = { prefill: prefillLeast + extra, decode: decodeLeast + more - extra };
      if (isEnough(fleet)) return plan(fleet);
    }
  }
}

/** The split of `engines` with the highest fair goodput, which is assumed to have a single peak. */
export function bestSplit(
  trials: Trials,
  policy: string,
  engines: number,
  traceRate: number,
): Plan {
  const known = new Map<number, number>();
  const busy = leastBusy(trials);
  const goodput = (prefill: number): number => {
    const fleet = { prefill, decode: engines - prefill };
    const most = Math.max(0.04, Math.min(searchedScales.most, prefill / busy));
    const found = known.get(prefill) ?? trials.goodput(policy, true, fleet, most);
    known.set(prefill, found);
    return found;
  };
  let low = 1;
  let high = engines - 1;
  while (high - low > 2) {
    const middle = (low + high) >> 1;
    if (goodput(middle) < goodput(middle + 1)) low = middle + 1;
    else high = middle;
  }
  for (let prefill = low; prefill <= high; prefill += 1) goodput(prefill);
  const [prefill, scale] = [...known].reduce((best, one) => (one[1] > best[1] ? one : best));
  const fleet = { prefill, decode: engines - prefill };
  // If no rate meets the SLO, the metrics at the rate of the trace show why.
  return planAt(trials, policy, scale === 0 ? 1 : scale, scale * traceRate, fleet);
}

function planAt(
  trials: Trials,
  policy: string,
  scale: number,
  rate: number,
  { prefill, decode }: FleetSize,
): Plan {
  const metrics = trials.metrics(policy, scale, { prefill, decode });
  const { share } = trials.options.slo ?? defaultSlo;
  return { policy, prefill, decode, rate, metrics, isEnough: metrics.attainedWorst >= share };
}

/**
 * How many prefill engines the trace keeps busy at its own rate with unlimited caches. With fewer, prompts pile up;
 * replays of such fleets take long and cannot succeed. Reduced by the share of requests that may miss the SLO.
 */
function leastBusy({ trace, options: { profile, slo = defaultSlo } }: Trials): number {
  const seen = new Set<number>();
  let workMs = 0;
  for (const { inputTokens, blocks } of trace) {
    let run = 0;
    while (run < blocks.length && seen.has(blocks[run]!)) run += 1;
    for (const block of blocks) seen.add(block);
    const uncached = Math.max(1, inputTokens - run * traceBlockTokens);
    // Prompts of one batch share the base time of a step.
    const withoutBase = prefillMs(profile, uncached, inputTokens) - profile.prefillBaseMs;
    workMs += profile.prefillBatchTokens === 0 ? withoutBase + profile.prefillBaseMs : withoutBase;
  }
  return (slo.share * workMs) / trace.at(-1)!.arrivalMs;
}

/** The lowest count from `low` to `high` that is enough; `high` is known to be. */
function leastOf(low: number, high: number, isEnough: (count: number) => boolean): number {
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isEnough(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** @param rate the requested one */
export function planTable(plans: readonly Plan[], rate = 0): string {
  return textTable(plans, [
    ["policy", ({ policy }) => policy],
    ["prefill", ({ prefill }) => String(prefill)],
    ["decode", ({ decode }) => String(decode)],
    ["engines", ({ prefill, decode }) => String(prefill + decode)],
    ["requests/s", ({ rate }) => rate.toFixed(2)],
    ["per engine", ({ rate, prefill, decode }) => (rate / (prefill + decode)).toFixed(2)],
    ["TTFT p90 ms", ({ metrics }) => metrics.ttftMs.p90.toFixed(0)],
    ["TPOT p90 ms", ({ metrics }) => metrics.tpotMs.p90.toFixed(1)],
    ["in SLO", ({ metrics }) => metrics.attained.toFixed(3)],
    ["worst decile", ({ metrics }) => metrics.attainedWorst.toFixed(3)],
    ["", ({ isEnough, rate: served }) => (isEnough && served >= rate ? "" : "NOT ENOUGH")],
  ]);
}

/** The public form of a plan, as `--json` prints it. */
export function planJson({ metrics, ...plan }: Plan): object {
  const { ttftMs, tpotMs, hitRate, attained, attainedWorst } = metrics;
  return { ...plan, ttftMs, tpotMs, hitRate, attained, attainedWorst };
}
