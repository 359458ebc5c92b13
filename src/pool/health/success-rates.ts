/**
 * Which engines of a pool have failed conspicuously often in a window. Once each window, so it may allocate.
 *
 * As in Envoy: an engine whose success rate is `successRateStdevFactor` standard deviations below the mean of all, or
 * whose share of failures is `failurePercent` or more.
 */
import type { OutlierConfig } from "../../config/schema/pool/ejection.ts";
import type { Scoreboard } from "../../scoreboard/scoreboard.ts";
import type { Engine } from "../engine.ts";

export interface Outlier {
  readonly engine: Engine;
  readonly reason: "success-rate" | "failure-share";
}

export function outliersOf(
  engines: readonly Engine[],
  { health }: Scoreboard,
  config: OutlierConfig,
): Outlier[] {
  const measured = engines.map((engine) => {
    const results = health.results(engine.slot);
    const failed = results === 0 ? 0 : Math.min(1, health.windowFailures(engine.slot) / results);
    return { engine, results, failed };
  });
  const least = leastSuccess(measured, config);
  const { failurePercent, failurePercentMinRequests, successRateMinRequests } = config;
  const outliers: Outlier[] = [];
  for (const { engine, results, failed } of measured) {
    if (results >= successRateMinRequests && 1 - failed < least) {
      outliers.push({ engine, reason: "success-rate" });
    } else if (
      failurePercent > 0 &&
      results >= failurePercentMinRequests &&
      failed * 100 >= failurePercent
    ) {
      outliers.push({ engine, reason: "failure-share" });
    }
  }
  return outliers;
}

/** The success rate below which an engine is an outlier; below 0 = they cannot be compared. */
function leastSuccess(
  measured: readonly { readonly results: number; readonly failed: number }[],
  { successRateMinRequests, successRateMinEngines, successRateStdevFactor }: OutlierConfig,
): number {
  if (successRateMinRequests === 0) return -1;
  const rates = measured
    .filter(({ results }) => results >= successRateMinRequests)
    .map(({ failed }) => 1 - failed);
  if (rates.length < successRateMinEngines) return -1;
  const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
  const variance = rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / rates.length;
  return mean - successRateStdevFactor * Math.sqrt(variance);
}
