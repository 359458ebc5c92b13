/** How many engines a traffic needs, and how they are best shared out between prefill and decode. */
import { defaultSlo, type Figures, searchedScales } from "./figures.ts";
import { prefillMs } from "./profile.ts";
import { textTable } from "./rows.ts";
import type { FleetSize, Trials } from "./simulate.ts";
import { type TraceRequest, traceBlockTokens } from "./trace.ts";

/** More engines than this, a power of two, are not looked for. */
export const plannedEnginesMax = 512;

export interface Plan extends FleetSize {
  readonly policy: string;
  /** Requests a second that the figures are about: those asked for, or the most that this fleet serves within the SLO. */
  readonly rate: number;
  readonly figures: Figures;
  /** Whether enough requests meet the SLO in each decile of input length, at this rate. */
  readonly isEnough: boolean;
}

/** Requests a second of the trace as it is. */
export function rateOf(trace: readonly TraceRequest[]): number {
  const lastMs = trace.at(-1)!.arrivalMs;
  if (lastMs === 0) throw new Error("all requests of the trace come at once: it has no rate");
  return (trace.length / lastMs) * 1000;
}

/**
 * The least engines that serve a rate. TTFT depends on the prefill engines and TPOT on the decode engines, nearly: so first the least of each is
 * sought where there are plenty of the other, and then the least of both together from there on.
 */
export function leastEngines(trials: Trials, policy: string, scale: number, rate: number): Plan {
  const plan = (fleet: FleetSize): Plan => chooseOrder(trials, policy, scale, rate, fleet);
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

/** The split of so many engines with the highest fair goodput, which rises towards it from both sides. */
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
  // Where nothing is served within the SLO, the figures of the trace's own rate say why.
  return chooseOrder(trials, policy, scale === 0 ? 1 : scale, scale * traceRate, fleet);
}

function chooseOrder(
  trials: Trials,
  policy: string,
  scale: number,
  rate: number,
  { prefill, decode }: FleetSize,
): Plan {
  const figures = trials.figures(policy, scale, { prefill, decode });
  const { share } = trials.options.slo ?? defaultSlo;
  return { policy, prefill, decode, rate, figures, isEnough: figures.attainedWorst >= share };
}

/**
 * Prefill engines that the trace keeps busy at its own rate if caches are as large as they like and forget nothing: with fewer, prompts pile up.
 * Replays of such fleets take long and say nothing new. A tenth less, since a tenth of the requests may fail.
 */
function leastBusy({ trace, options: { profile, slo = defaultSlo } }: Trials): number {
  const seen = new Set<number>();
  let workMs = 0;
  for (const { inputTokens, blocks } of trace) {
    let run = 0;
    while (run < blocks.length && seen.has(blocks[run]!)) run += 1;
    for (const block of blocks) seen.add(block);
    const uncached = Math.max(1, inputTokens - run * traceBlockTokens);
    // Batched prompts share a step's base.
    const withoutBase = prefillMs(profile, uncached, inputTokens) - profile.prefillBaseMs;
    workMs += profile.prefillBatchTokens === 0 ? withoutBase + profile.prefillBaseMs : withoutBase;
  }
  return (slo.share * workMs) / trace.at(-1)!.arrivalMs;
}

/** The least from `low` to `high` that is enough; `high` is known to be. */
function leastOf(low: number, high: number, isEnough: (count: number) => boolean): number {
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isEnough(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** @param rate that was asked for */
export function planTable(plans: readonly Plan[], rate = 0): string {
  return textTable(plans, [
    ["policy", ({ policy }) => policy],
    ["prefill", ({ prefill }) => String(prefill)],
    ["decode", ({ decode }) => String(decode)],
    ["engines", ({ prefill, decode }) => String(prefill + decode)],
    ["requests/s", ({ rate }) => rate.toFixed(2)],
    ["per engine", ({ rate, prefill, decode }) => (rate / (prefill + decode)).toFixed(2)],
    ["TTFT p90 ms", ({ figures }) => figures.ttftMs.p90.toFixed(0)],
    ["TPOT p90 ms", ({ figures }) => figures.tpotMs.p90.toFixed(1)],
    ["in SLO", ({ figures }) => figures.attained.toFixed(3)],
    ["worst decile", ({ figures }) => figures.attainedWorst.toFixed(3)],
    ["", ({ isEnough, rate: served }) => (isEnough && served >= rate ? "" : "NOT ENOUGH")],
  ]);
}

/** The public form of a plan, as `--json` prints it. */
export function planJson({ figures, ...plan }: Plan): object {
  const { ttftMs, tpotMs, hitRate, attained, attainedWorst } = figures;
  return { ...plan, ttftMs, tpotMs, hitRate, attained, attainedWorst };
}
