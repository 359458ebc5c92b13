/**
 * The queue of a pool: who waits, how long, and in which order. One form for each ordering of `src/queue/orderings/`.
 */
import { z } from "zod";
import type { ValuesOf } from "../../../policies/shared/options.ts";
import { optionSchemas } from "../../../policies/shared/options-schema.ts";
import { type ChosenOrdering, orderings } from "../../../queue/orderings/registry.ts";
import type { OrderingDefinition } from "../../../queue/orderings/shared/ordering.ts";

/** Of all queues. */
export const queueOrder = {
  priority: z
    .string()
    .default("$http_x_priority")
    .describe(
      "Template of a whole number from -100 to 100, lower goes earlier. `$body_priority` is vLLM's " +
        "`priority` in the body; empty = all are equal.",
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

export const queueLimits = {
  max: z
    .int()
    .min(1)
    .max(65_536)
    .default(1_024)
    .describe("Requests that wait, in the whole proxy. Beyond that the response is 503."),
  timeoutMs: z.int().min(1).max(86_400_000),
  priorityMs: z.number().min(0).max(86_400_000).default(1_000),
};

interface SharedQueueConfig {
  readonly max: number;
  readonly timeoutMs: number;
  readonly priorityMs: number;
  readonly priority: string;
  readonly tenant: string;
  readonly fairnessMs: number;
}

export type QueueConfig = ChosenOrdering & SharedQueueConfig;

type Given<Definition> =
  Definition extends OrderingDefinition<infer Name, infer Shape>
    ? { order: Name } & Partial<ValuesOf<Shape> & SharedQueueConfig>
    : never;

/** As it is written: the first ordering is the default. */
export type QueueInput =
  | Given<(typeof orderings)[number]>
  | ({ order?: undefined } & Partial<SharedQueueConfig>);

const forms = orderings.map(({ name, summary, timeoutMs, options }, index) => {
  const order = z.literal(name);
  const { max, priorityMs } = queueLimits;
  return z
    .strictObject({
      order: (index === 0 ? order.default(name) : order).describe("Who goes next."),
      max,
      timeoutMs: queueLimits.timeoutMs.default(timeoutMs).describe("Longest wait; then 503."),
      priorityMs: priorityMs.describe(
        "By how many ms one step of priority brings a request forward.",
      ),
      ...queueOrder,
      ...optionSchemas(options),
    })
    .describe(summary);
});

export const queueSchema = z
  .discriminatedUnion("order", forms as unknown as [(typeof forms)[number]])
  .describe(
    "Requests that cannot go to an engine yet wait. Default: they get 503 at " +
      "once if all engines have `maxConns` requests. If a pool for prefill names no policy, " +
      "`order` is `shortest_prefill` by default.",
  ) as unknown as z.ZodType<QueueConfig, QueueInput>;
