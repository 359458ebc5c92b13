/**
 * What each counter of the scoreboard's `RequestCounts` counts: retries, and those that were refused. And outcomes as
 * numbers, for metrics.
 */
import { retryConditions } from "../../config/values/retry-conditions.ts";
import { PROBLEMS } from "../../http1/problems.ts";
import { legNames, type RequestLeg } from "../../scoreboard/leg-counts.ts";
import { beingRetried } from "../../scoreboard/request-counts.ts";
import { type Outcome, outcomes } from "./outcomes.ts";

const firstRefused = beingRetried + 1;
const firstRetry = firstRefused + legNames.length;
/** How many counters there are. */
export const requestCounters: number = firstRetry + legNames.length * retryConditions.length;

/** All codes with which a request can end. */
export const outcomeCodes: readonly string[] = [
  ...new Set([
    ...Object.values(outcomes).map(({ code }) => code),
    "GP_BAD_JSON",
    ...Object.values(PROBLEMS).map(({ code }) => code),
  ]),
];
const outcomeIndexes = new Map(outcomeCodes.map((code, index) => [code, index]));

/** In `outcomeCodes`. */
export function outcomeIndex({ code }: Pick<Outcome, "code">): number {
  return outcomeIndexes.get(code) ?? outcomeIndexes.get(outcomes.internal.code)!;
}

/** Retries of the leg that the retry budget has refused. */
export function refusedCounter(leg: RequestLeg): number {
  return firstRefused + legNames.indexOf(leg);
}

/** Retries of the leg after a failure of this kind. */
export function retryCounter(leg: RequestLeg, condition: (typeof retryConditions)[number]): number {
  const row = legNames.indexOf(leg) * retryConditions.length;
  return firstRetry + row + retryConditions.indexOf(condition);
}
