/** A counter that two things share, or that does not fit, would count what did not happen. */
import { expect, test } from "vitest";
import { retryConditions } from "../../../src/config/values/retry-conditions.ts";
import { requestCountersMax } from "../../../src/limits.ts";
import {
  refusedCounter,
  requestCounters,
  retryCounter,
} from "../../../src/proxy/context/request-counters.ts";
import { legNames } from "../../../src/scoreboard/leg-counts.ts";
import { beingRetried } from "../../../src/scoreboard/request-counts.ts";

test("each counter counts one thing, and all of them fit", () => {
  const counters = [
    beingRetried,
    ...legNames.map(refusedCounter),
    ...legNames.flatMap((leg) => retryConditions.map((one) => retryCounter(leg, one))),
  ];
  expect(new Set(counters).size).toBe(counters.length);
  expect(Math.max(...counters)).toBe(requestCounters - 1);
  expect(requestCounters).toBeLessThanOrEqual(requestCountersMax);
});
