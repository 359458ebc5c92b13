/** Requests that wait for an engine: how many, how long, and who goes first. */
import { z } from "zod";

/** Of all queues. */
export const queueOrder = {
  priority: z
    .string()
    .default("$http_x_priority")
    .describe(
      "Template of a whole number from -100 to 100, lower goes earlier, as vLLM's `priority`; a member of that name in the body counts where this is empty.",
    ),
  tenant: z
    .string()
    .default("")
    .describe(
      "Template, such as `$http_x_tenant`: who shares the engines evenly. Empty = all are one.",
    ),
  fairnessMs: z
    .number()
    .min(0)
    .max(86_400_000)
    .default(2_000)
    .describe("Most that a tenant which has had more than others is put back, in predicted ms."),
};

export const queueSchema = z
  .strictObject({
    max: z
      .int()
      .min(1)
      .max(65_536)
      .default(1_024)
      .describe("Requests that wait, in the whole proxy. More are answered with 503."),
    timeoutMs: z
      .int()
      .min(1)
      .max(86_400_000)
      .default(60_000)
      .describe("Longest wait for a place; then 503."),
    priorityMs: z
      .number()
      .min(0)
      .max(86_400_000)
      .default(1_000)
      .describe("By how many ms one step of priority brings a request forward."),
    ...queueOrder,
  })
  .describe(
    "Where all engines have as many requests as they may (`maxConns`), requests wait for a place, in the order in which they came. Default: they are answered with 503 at once. Policy `predictive` has a queue of its own.",
  );

export type QueueConfig = z.output<typeof queueSchema>;
