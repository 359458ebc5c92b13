/** What shadow policies would have done, summed over all workers. */
import type { RealAndShadow, ShadowReport } from "../../pool/shadow.ts";

/** @param byWorker reports of each worker */
export function sumOfShadows(byWorker: readonly (readonly ShadowReport[])[]): ShadowReport[] {
  const sums = new Map<string, ShadowReport>();
  for (const report of byWorker.flat()) {
    const before = sums.get(report.pool);
    sums.set(report.pool, before === undefined ? report : sumOf(before, report));
  }
  return [...sums.values()];
}

/** One line for the error log. */
export function shadowLine(report: ShadowReport): string {
  const { pool, policy, shadow, picks, differed, cachedTokens, prefillMs, fault } = report;
  const share = Math.round((differed / picks) * 100);
  const line =
    `shadow ${shadow} of pool "${pool}" would have sent ${differed} of ${picks} requests ` +
    `(${share} %) to another engine than ${policy} did`;
  const cached = `cached tokens ${Math.round(cachedTokens.shadow)} instead of ${Math.round(cachedTokens.real)}`;
  const ms = `predicted prefill ${Math.round(prefillMs.shadow)} ms instead of ${Math.round(prefillMs.real)} ms`;
  const off = fault === undefined ? "" : `; it was switched off: ${fault}`;
  return `${line}: ${cached}, ${ms}${off}`;
}

function sumOf(a: ShadowReport, b: ShadowReport): ShadowReport {
  const counts = new Map(b.engines.map((one) => [one.engine, one]));
  return {
    ...a,
    picks: a.picks + b.picks,
    differed: a.differed + b.differed,
    promptTokens: a.promptTokens + b.promptTokens,
    cachedTokens: both(a.cachedTokens, b.cachedTokens),
    prefillMs: both(a.prefillMs, b.prefillMs),
    engines: a.engines.map(({ engine, ...own }) => {
      const other = counts.get(engine);
      return { engine, ...(other === undefined ? own : both(own, other)) };
    }),
    ...(a.fault === undefined && b.fault !== undefined && { fault: b.fault }),
  };
}

function both(a: RealAndShadow, b: RealAndShadow): RealAndShadow {
  return { real: a.real + b.real, shadow: a.shadow + b.shadow };
}
