/** Writes a configuration down as briefly as it can be said: only what differs from the defaults. */
import { isDeepStrictEqual } from "node:util";
import { stringify } from "yaml";
import { withDefaultPolicies } from "../schema/default-policies.ts";
import { alternatives, inputSchema, type JsonSchema } from "../schema/expected.ts";
import { type Config, type ConfigInput, configSchema } from "../schema/schema.ts";

/** YAML that loads back to the same configuration. */
export function toYaml(config: Config): string {
  const minimal = withoutDefaults(config, inputSchema) as ConfigInput;
  // Round robin is no default where a route hands over.
  const read = () => withDefaultPolicies(configSchema.parse(minimal), minimal);
  for (const [name, { policy }] of Object.entries(read().pools)) {
    const said = config.pools[name]!.policy;
    if (policy.name !== said.name) minimal.pools![name]!.policy = { name: "round_robin" };
  }
  // What is written here is what will run, so a default that was left out wrongly must never pass unseen.
  if (!isDeepStrictEqual(read(), config)) {
    throw new Error("the configuration does not load back to itself");
  }
  return stringify(minimal, { lineWidth: 0 });
}

/** YAML with all defaults written out. */
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
    // A default of a nested map is what it was before its own defaults were filled in: an empty map, or a few keys.
    const isDefault = "default" in memberSchema && isDeepStrictEqual(small, memberSchema.default);
    if (!isDefault && member !== undefined) minimal[key] = small;
  }
  return minimal;
}

/** Whether a branch of a union is the one that made a value: it knows all its keys, and its constants agree. */
function describes({ properties, additionalProperties }: JsonSchema, value: object): boolean {
  if (properties === undefined) return additionalProperties !== false;
  return Object.entries(value).every(([key, member]) => {
    const expected = properties[key];
    if (expected === undefined) return member === undefined || additionalProperties !== false;
    return expected.const === undefined || expected.const === member;
  });
}
