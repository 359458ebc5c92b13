/** What each counter of the scoreboard's `RequestCounts` counts: retries, those that were refused, and outcomes. */
import { retryConditions } from "../../config/schema/server/retry.ts";
import { PROBLEMS } from "../../http1/problems.ts";
import { beingRetried } from "../../scoreboard/request-counts.ts";
import { type Outcome, outcomes } from "./outcomes.ts";

export const countedLegs = ["encode", "prefill", "decode"] as const;
type CountedLeg = (typeof countedLegs)[number];

const firstRefused = beingRetried + 1;
const firstRetry = firstRefused + countedLegs.length;
const firstOutcome = firstRetry + countedLegs.length * retryConditions.length;

/** All codes with which a request can end. */
export const outcomeCodes: readonly string[] = [
  ...new Set([
    ...Object.values(outcomes).map(({ code }) => code),
    "GP_BAD_JSON",
    ...Object.values(PROBLEMS).map(({ code }) => code),
  ]),
];
const outcomeCounters = new Map(outcomeCodes.map((code, index) => [code, firstOutcome + index]));

/** How many counters there are. */
export const requestCounters: number = firstOutcome + outcomeCodes.length;

/** Retries of the leg that the retry budget has refused. */
export function refusedCounter(leg: CountedLeg): number {
  return firstRefused + countedLegs.indexOf(leg);
}

/** Retries of the leg after a failure of this kind. */
export function retryCounter(leg: CountedLeg, condition: (typeof retryConditions)[number]): number {
  const row = countedLegs.indexOf(leg) * retryConditions.length;
  return firstRetry + row + retryConditions.indexOf(condition);
}

/** Requests with this outcome. */
export function outcomeCounter({ code }: Pick<Outcome, "code">): number {
  return outcomeCounters.get(code) ?? outcomeCounters.get(outcomes.internal.code)!;
}
