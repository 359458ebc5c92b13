/**
 * When engines that fail are taken out of their pool for a while: outlier ejection as in Envoy, or nginx's `max_fails`.
 * Names and meanings follow Envoy's `OutlierDetection`; defaults that differ suit pools of few engines.
 */
import { z } from "zod";
import { withDetails } from "../describe.ts";
import { milliseconds } from "../values.ts";

const percent = z.int().min(0).max(100);
const count = z.int().min(0).max(1_000_000);

const panicPercent = percent.describe(
  withDetails(
    "If fewer engines of the pool than this are healthy, ejected ones are used as well.",
    "0 = never. Envoy's panic threshold.",
  ),
);

const outlier = z
  .strictObject({
    rule: z.literal("outlier").default("outlier").describe("Which rule ejects engines."),
    consecutiveFailures: count
      .default(5)
      .describe("Failures in a row that eject an engine. 0 = not by this."),
    consecutiveConnectFailures: count
      .default(1)
      .describe(
        "Connections in a row that an engine does not accept and that eject it. 0 = as failures.",
      ),
    intervalMs: z
      .int()
      .min(100)
      .max(86_400_000)
      .default(10_000)
      .describe(
        "Window of the success rate; and for each such time in health, ejections get shorter.",
      ),
    successRateMinRequests: count
      .default(100)
      .describe(
        "Requests that an engine needs in a window to be compared by success rate. 0 = off.",
      ),
    successRateMinEngines: z
      .int()
      .min(2)
      .max(4_096)
      .default(5)
      .describe("So many engines with that many requests are needed for the comparison."),
    successRateStdevFactor: z
      .number()
      .min(0)
      .max(100)
      .default(1.9)
      .describe("An engine this many standard deviations below the mean success rate is ejected."),
    failurePercent: percent
      .default(50)
      .describe("Share of failures in a window that ejects an engine. 0 = not by this."),
    failurePercentMinRequests: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(20)
      .describe("Requests that an engine needs in a window for that."),
    lateMs: milliseconds
      .default(1_000)
      .describe(
        withDetails(
          "A request that waits for the first byte longer than this, and `lateFactor` times longer than is usual for",
          "its length, while its engine responds to nobody, is a failure. 0 = not by this.",
        ),
      ),
    lateFactor: z.number().min(1).max(1_000).default(4).describe("See `lateMs`."),
    baseEjectionMs: milliseconds
      .default(10_000)
      .describe("How long the first ejection lasts; the next ones last a multiple of it."),
    maxEjectionMs: milliseconds.default(300_000).describe("Longest ejection."),
    maxEjectedPercent: percent
      .default(50)
      .describe("Most engines of the pool that are ejected at a time; one may always be."),
    panicPercent: panicPercent.default(50),
  })
  .describe("Outlier ejection, as in Envoy (`docs/ejection.md`).");

const maxFails = z
  .strictObject({
    rule: z.literal("max_fails").describe("Which rule ejects engines."),
    panicPercent: panicPercent.default(0),
  })
  .describe("nginx's rule: `maxFails` failures eject an engine for `failTimeoutMs`.");

export const ejectionSchema = z
  .discriminatedUnion("rule", [outlier, maxFails])
  .describe(
    withDetails(
      "When engines that fail get no requests for a while (`docs/ejection.md`).",
      "The default is `outlier`, but `max_fails` if an engine of the pool says `maxFails` or `failTimeoutMs`,",
      "and in nginx.conf.",
    ),
  );

/** The rules by their names, and the options of each. */
export const ejectionOptions: ReadonlyMap<string, Readonly<Record<string, z.ZodType>>> = new Map([
  ["outlier", outlier.omit({ rule: true }).shape],
  ["max_fails", maxFails.omit({ rule: true }).shape],
]);

export type EjectionConfig = z.output<typeof ejectionSchema>;
export type OutlierConfig = z.output<typeof outlier>;

/** The rule of a pool that names none. */
export function defaultEjection(
  engines: readonly {
    readonly maxFails?: number | undefined;
    readonly failTimeoutMs?: number | undefined;
  }[],
): EjectionConfig {
  const saysMaxFails = engines.some(
    ({ maxFails, failTimeoutMs }) => maxFails !== undefined || failTimeoutMs !== undefined,
  );
  return ejectionSchema.parse({ rule: saysMaxFails ? "max_fails" : "outlier" });
}
