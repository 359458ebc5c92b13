/** Load that engines tell of themselves. */
import { z } from "zod";

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
      .describe("Default: the first of `/metrics`, `/prometheus/metrics`, `/v1/loads` that tells."),
  })
  .describe("Ask engines for their load (`docs/signals.md`), which others may put there, too.");

export type SignalsConfig = z.output<typeof signalsSchema>;
