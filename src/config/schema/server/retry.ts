/** When another engine is tried. */
import { z } from "zod";
import { milliseconds } from "../values.ts";

/** Failures that may be retried, by nginx's names. */
export const retryConditions = [
  "error",
  "timeout",
  "invalid_header",
  "http_500",
  "http_502",
  "http_503",
  "http_504",
  "http_403",
  "http_404",
  "http_429",
  "non_idempotent",
  "off",
] as const;

export const retrySchema = z
  .strictObject({
    on: z
      .array(z.enum(retryConditions))
      .default(["error", "timeout", "invalid_header"])
      .describe("Failures that are retried, by nginx's names."),
    tries: z
      .int()
      .min(0)
      .max(100)
      .default(0)
      .describe("Maximum number of engines tried per leg. 0 = each engine once."),
    timeoutMs: milliseconds.default(0).describe("No new try after this time. 0 = no limit."),
  })
  .describe(
    "When another engine is tried. Never after the first byte of the response went to the client.",
  );
