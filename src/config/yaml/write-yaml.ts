/** A configuration as YAML: as short as possible, or with all defaults. */
import { isDeepStrictEqual } from "node:util";
import { stringify } from "yaml";
import { alternatives, inputSchema, type JsonSchema } from "../schema/expected.ts";
import { withDefaultPolicies } from "../schema/pool/default-policies.ts";
import { defaultEjection } from "../schema/pool/ejection.ts";
import { shortFormOf } from "../schema/pool/short-form.ts";
import { type Config, type ConfigInput, configSchema } from "../schema/schema.ts";

/** YAML with only what differs from the defaults. It loads back to the same configuration. */
export function toYaml(config: Config): string {
  const minimal = withoutDefaults(withShortForms(config), inputSchema()) as ConfigInput;
  for (const [name, pool] of Object.entries(minimal.pools ?? {})) {
    if (!isDeepStrictEqual(defaultEjection(pool.engines ?? []), config.pools[name]!.ejection))
      continue;
    pool.ejection = undefined;
  }
  // Where a route splits prefill and decode, round robin is not the default and must be written.
  const read = () => withDefaultPolicies(configSchema.parse(minimal), minimal);
  for (const [name, { policy }] of Object.entries(read().pools)) {
    const wanted = config.pools[name]!.policy;
    if (policy.name !== wanted.name) minimal.pools![name]!.policy = { name: "round_robin" };
  }
  // The operator will run this text, so it must mean exactly the same.
  if (!isDeepStrictEqual(read(), config)) {
    throw new Error("the configuration does not load back to itself");
  }
  return stringify(minimal, { lineWidth: 0 });
}

function withShortForms(config: Config): object {
  const pools = Object.entries(config.pools).map(([name, pool]) => {
    const policy = shortFormOf(pool);
    if (policy === undefined) return [name, pool];
    const { queue: _, ...rest } = pool;
    return [name, { ...rest, policy }];
  });
  return { ...config, pools: Object.fromEntries(pools) };
}

/** YAML with all defaults. */
export function toFullYaml(config: Config): string {
  return stringify(config, { lineWidth: 0, aliasDuplicateObjects: false });
}

function withoutDefaults(value: unknown, schema: JsonSchema): unknown {
  if (Array.isArray(value)) {
    const { items = {} } = schema;
    return value.map((item) => withoutDefaults(item, items));
  }
  if (typeof value !== "object" || value === null) return value;
  const branch = alternatives(schema).find((candidate) => describes(candidate, value)) ?? {};
  const { properties = {}, additionalProperties } = branch;
  const others = typeof additionalProperties === "object" ? additionalProperties : {};
  const minimal: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) {
    const memberSchema = properties[key] ?? others;
    const small = withoutDefaults(member, memberSchema);
    // The schema states the default of a nested map before its own defaults are filled in, as `small` is here.
    const isDefault = "default" in memberSchema && isDeepStrictEqual(small, memberSchema.default);
    if (!isDefault && member !== undefined) minimal[key] = small;
  }
  return minimal;
}

/** Whether a value belongs to this branch of a union: the branch knows all its keys, and its constants match. */
function describes({ properties, additionalProperties }: JsonSchema, value: object): boolean {
  if (properties === undefined) return additionalProperties !== false;
  return Object.entries(value).every(([key, member]) => {
    const expected = properties[key];
    if (expected === undefined) return member === undefined || additionalProperties !== false;
    return expected.const === undefined || expected.const === member;
  });
}
