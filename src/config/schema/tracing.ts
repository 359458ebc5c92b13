/** Traces for OpenTelemetry. */
import { z } from "zod";
import { withDetails } from "./describe.ts";
import { milliseconds, text } from "./values.ts";

export const tracingSchema = z
  .strictObject({
    endpoint: z
      .url({ protocol: /^https?$/ })
      .describe(
        withDetails(
          "Where a collector takes OTLP over HTTP, as `http://collector:4318`.",
          "`/v1/traces` is added if the URL has no path.",
        ),
      ),
    sampleRatio: z
      .number()
      .min(0)
      .max(1)
      .default(1)
      .describe("Share of requests that are exported, of those whose client does not say."),
    slowMs: milliseconds
      .default(0)
      .describe("Requests that take so long are exported in any case, as those that fail. 0 = no."),
    headers: z
      .record(text, z.string())
      .default({})
      .describe("Header lines for the collector, such as its key."),
    serviceName: text.default("global-proxy").describe("`service.name` of the spans."),
  })
  .describe("Traces for OpenTelemetry (`docs/tracing.md`).");

export type TracingConfig = z.output<typeof tracingSchema>;
