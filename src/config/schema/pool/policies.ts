/** What an operator can say of a policy: the options of each one in the registry, and of a module of their own. */
import { z } from "zod";
import type { CustomPolicy } from "../../../policies/custom-policy.ts";
import {
  type BuiltInPolicy,
  type BuiltInPolicyInput,
  policies,
} from "../../../policies/registry.ts";
import { optionSchemas } from "../../../policies/shared/options-schema.ts";
import { predictive } from "./predictive.ts";

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
