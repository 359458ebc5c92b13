/** The load that engines report. */
import { z } from "zod";
import { withDetails } from "../describe.ts";

export const signalsSchema = z
  .strictObject({
    intervalMs: z
      .int()
      .min(50)
      .max(600_000)
      .default(1_000)
      .describe("How often each engine is asked."),
    path: z
      .string()
      .regex(/^\/\S*$/, "a path, such as /metrics")
      .optional()
      .describe(
        withDetails(
          "Path to ask.",
          "The default is the first of `/metrics`, `/prometheus/metrics` and `/v1/loads` that reports a load.",
        ),
      ),
  })
  .describe(
    "Ask engines for their load, which includes requests of other clients (`docs/signals.md`).",
  );

export type SignalsConfig = z.output<typeof signalsSchema>;
