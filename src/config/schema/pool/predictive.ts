/**
 * `policy: predictive`: the short form of a queue that places prompts on prefill engines, and of the policy for prompts
 * that cannot wait. Outside of the configuration there is no policy of this name.
 */
import { z } from "zod";
import type { Option } from "../../../policies/shared/options.ts";
import { optionSchema } from "../../../policies/shared/options-schema.ts";
import { shortestPrefill } from "../../../queue/orderings/shortest-prefill.ts";
import { queueLimits, queueOrder } from "./queue.ts";

const number = (option: Option<number>) => optionSchema(option) as z.ZodDefault<z.ZodNumber>;
const { agingFactor, duplicateWeight, blocksMax, ttftMaxMs } = shortestPrefill.options;

export const predictive = z
  .strictObject({
    name: z.literal("predictive"),
    agingFactor: number(agingFactor),
    duplicateWeight: number(duplicateWeight),
    blocksMax: number(blocksMax),
    queueMax: queueLimits.max.describe(
      "Prompts that wait, in the whole proxy. Beyond that the response is 503.",
    ),
    queueTimeoutMs: queueLimits.timeoutMs
      .default(shortestPrefill.timeoutMs)
      .describe("Longest wait for a prefill engine; then 503."),
    ttftMaxMs: number(ttftMaxMs),
    priorityMs: queueLimits.priorityMs.describe(
      "Predicted ms of prefill that one step of priority is worth.",
    ),
    ...queueOrder,
  })
  .describe(
    "For prefill: short for `queue: { order: shortest_prefill }`, where prompts wait and are " +
      "placed, and `predicted_time` for those that cannot wait.",
  );

export type Predictive = z.output<typeof predictive>;
