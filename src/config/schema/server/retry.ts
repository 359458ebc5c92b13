/** When another engine is tried. */
import { z } from "zod";
import { retryConditions } from "../../values/retry-conditions.ts";
import { withDetails } from "../describe.ts";
import { milliseconds } from "../values.ts";

const budgetSchema = z
  .strictObject({
    share: z
      .number()
      .min(0)
      .max(100)
      .default(0.2)
      .describe(
        "For each request in flight, so many may be being retried besides. 0 = no budget: all may.",
      ),
    requestsMin: z
      .int()
      .min(0)
      .max(1_000_000)
      .default(10)
      .describe("So many requests may always be being retried at a time."),
  })
  .describe(
    withDetails(
      "How many requests may be being retried at a time, so that retries do not multiply an overload.",
      "Counted for each route and worker (`docs/retries.md`).",
    ),
  );

export const retrySchema = z
  .strictObject({
    on: z
      .array(z.enum(retryConditions))
      .default([
        "error",
        "timeout",
        "invalid_header",
        "http_500",
        "http_502",
        "http_503",
        "http_504",
        "http_429",
      ])
      .describe("Failures that are retried, by nginx's names."),
    rules: z
      .enum(["inference", "nginx"])
      .default("inference")
      .describe(
        withDetails(
          "`inference`: requests that only compute something may run twice, and 429 and 503 are backpressure.",
          "`nginx`: exactly nginx's rules, for any kind of upstream (`docs/retries.md`).",
        ),
      ),
    tries: z
      .int()
      .min(0)
      .max(100)
      .default(0)
      .describe("Maximum number of engines tried per leg. 0 = each engine once."),
    timeoutMs: milliseconds
      .default(0)
      .describe("No new try this long after the first engine got the request. 0 = no limit."),
    budget: budgetSchema.prefault({}),
  })
  .describe(
    "When another engine is tried. Never after the first byte of the response went to the client.",
  );
