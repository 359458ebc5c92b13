/** How much of a route one client may use: requests in a time, and requests under way. */
import { z } from "zod";
import { withDetails } from "../describe.ts";
import { text } from "../values.ts";

const key = text.describe(
  "Template of what is counted, such as `$remote_addr`. Requests for which it is empty are not limited.",
);
const keysMax = z
  .int()
  .min(1)
  .max(1_048_576)
  .default(65_536)
  .describe("Keys that are remembered; those unused for longest are forgotten.");

export const requestZoneSchema = z
  .strictObject({
    key,
    perMinute: z.number().min(0.01).max(1_000_000_000).describe("Requests of one key in a minute."),
    keysMax,
  })
  .describe("A rate of requests of each key, over all workers and all routes that name it.");

export const connectionZoneSchema = z
  .strictObject({ key, keysMax })
  .describe(
    "Requests of each key that are under way, over all workers and all routes that name it.",
  );

const status = z.int().min(400).max(599).default(429).describe("Of requests that are rejected.");
const logLevel = z
  .enum(["info", "notice", "warn", "error"])
  .default("info")
  .describe("At which the error log has rejections.");
const dryRun = z.boolean().default(false).describe("Log what would be rejected, and let it pass.");

export const requestLimitsSchema = z
  .strictObject({
    zones: z
      .array(
        z.strictObject({
          zone: text.describe("A name in `requestZones`."),
          burst: z
            .int()
            .min(0)
            .max(1_000_000)
            .default(0)
            .describe("Requests that may come ahead of the rate."),
          delayAfter: z
            .int()
            .min(0)
            .max(1_000_000)
            .default(0)
            .describe(
              "Of these so many go on at once; the others wait until the rate allows them.",
            ),
        }),
      )
      .min(1)
      .max(16)
      .describe("A request must keep to all of them."),
    status,
    logLevel,
    dryRun,
  })
  .describe(
    withDetails(
      "How fast a client may send requests to this route, as nginx's `limit_req`.",
      "Checked before the body is read. Limits in tokens are those of `tenants`.",
    ),
  );

export const connectionLimitsSchema = z
  .strictObject({
    zones: z
      .array(
        z.strictObject({
          zone: text.describe("A name in `connectionZones`."),
          max: z.int().min(1).max(65_535).describe("So many of one key at a time."),
        }),
      )
      .min(1)
      .max(16)
      .describe("A request must keep to all of them."),
    status,
    logLevel,
    dryRun,
  })
  .describe(
    withDetails(
      "How many requests of a client may be under way on this route, as nginx's `limit_conn`.",
      "A stream counts until it ends.",
    ),
  );

export const limitKeys = {
  requestLimits: requestLimitsSchema.optional(),
  connectionLimits: connectionLimitsSchema.optional(),
};
