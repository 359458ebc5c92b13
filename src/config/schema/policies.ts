/** What an operator can say of a policy: the options of each one in the registry, and of a module of their own. */
import { z } from "zod";
import type { CustomPolicy } from "../../policies/custom-policy.ts";
import { type BuiltInPolicy, type BuiltInPolicyInput, policies } from "../../policies/registry.ts";
import { blocksMax } from "../../policies/shared/common-options.ts";
import { optionSchemas } from "../../policies/shared/options-schema.ts";
import { queueOrder } from "./queue.ts";

const builtIn = policies.map(({ name, summary, options }) =>
  z.strictObject({ name: z.literal(name), ...optionSchemas(options) }).describe(summary),
);

const custom = z
  .strictObject({
    name: z.literal("custom"),
    module: z
      .string()
      .min(1)
      .describe(
        "Path of a module that exports a policy (`docs/extending.md`), relative to the configuration file.",
      ),
    options: z
      .record(z.string(), z.unknown())
      .default({})
      .describe("Options of that policy, as the module declares them."),
  })
  .describe("A policy of your own, from a module.");

const predictive = z
  .strictObject({
    name: z.literal("predictive"),
    agingFactor: z
      .number()
      .min(0.001)
      .max(10)
      .default(0.1)
      .describe(
        "What a ms of waiting takes off the predicted ms of a prefill. Nothing that comes later than a prompt's predicted prefill divided by this overtakes it.",
      ),
    duplicateWeight: z
      .number()
      .min(0)
      .default(1)
      .describe(
        "Weight of work that another engine's cache would save. It counts once, and once more for each prompt that waits per engine.",
      ),
    blocksMax: z
      .int()
      .min(64)
      .max(1 << 22)
      .default(1 << 16)
      .describe(blocksMax.about),
    queueMax: z
      .int()
      .min(1)
      .max(65_536)
      .default(1_024)
      .describe("Prompts that wait, in the whole proxy. More are answered with 503."),
    queueTimeoutMs: z
      .int()
      .min(1)
      .max(86_400_000)
      .default(120_000)
      .describe("Longest wait for a prefill engine; then 503."),
    ttftMaxMs: z
      .int()
      .min(0)
      .max(86_400_000)
      .default(0)
      .describe(
        "A request that would have to wait, and whose predicted TTFT is longer, is refused at once, with 429 and `Retry-After`. 0 = none.",
      ),
    priorityMs: z
      .number()
      .min(0)
      .max(86_400_000)
      .default(1_000)
      .describe("Predicted ms of prefill that one step of priority is worth."),
    ...queueOrder,
  })
  .describe(
    "For prefill: prompts are held, ordered by predicted prefill time, and sent when an engine can take them, by wait, prefill and cache. Where a prompt cannot be held, as `predicted_time`.",
  );

export const policySchema = z.discriminatedUnion("name", [
  ...builtIn,
  predictive,
  custom,
] as unknown as readonly [typeof predictive, typeof custom]) as unknown as z.ZodType<
  PolicyConfig,
  PolicyInput
>;

export type PolicyConfig = BuiltInPolicy | z.output<typeof predictive> | CustomPolicy;
export type PolicyInput =
  | BuiltInPolicyInput
  | z.input<typeof predictive>
  | (Pick<CustomPolicy, "name" | "module"> & Partial<CustomPolicy>);
export type PolicyName = PolicyConfig["name"];

/** The options of each policy by its name, with their schemas: what nginx.conf and flags can say as `option=value`. */
export const policyOptions: ReadonlyMap<string, Readonly<Record<string, z.ZodType>>> = new Map([
  ...policies.map(({ name, options }) => [name, optionSchemas(options)] as const),
  ["predictive", optionsOf(predictive.shape)] as const,
]);

function optionsOf({ name: _, ...options }: typeof predictive.shape): Record<string, z.ZodType> {
  return options;
}
