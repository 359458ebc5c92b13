/**
 * Checks operators' own policies: loads each module, and holds the options in the configuration against those that it
 * declares.
 */
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { loadPolicyModule } from "../../policies/custom-policy.ts";
import { isRequired, type PolicyDefinition } from "../../policies/shared/define-policy.ts";
import { optionSchema } from "../../policies/shared/options-schema.ts";
import { type ConfigFault, type ConfigPath, Faults } from "../problems/fault.ts";
import { didYouMean } from "../problems/suggest.ts";
import { alternatives, describeExpected, type JsonSchema } from "../schema/expected.ts";
import type { Config, PoolConfig } from "../schema/schema.ts";
import { TextChecks } from "./text-checks.ts";

type PolicyKey = "policy" | "shadow";

/**
 * @param file of the configuration: paths of modules are relative to its folder; undefined = to the working directory
 */
export function withModulePaths(config: Config, file: string | undefined): Config {
  const folder = file === undefined ? "." : dirname(file);
  const whole = <Policy extends PoolConfig["policy"] | (PoolConfig["shadow"] & object)>(
    policy: Policy,
  ) => (policy.name === "custom" ? { ...policy, module: resolve(folder, policy.module) } : policy);
  const pools = Object.entries(config.pools).map(([name, pool]) => {
    const { policy, shadow } = pool;
    return [name, { ...pool, policy: whole(policy), ...(shadow && { shadow: whole(shadow) }) }];
  });
  return { ...config, pools: Object.fromEntries(pools) };
}

/** Runs the modules. Paths in the configuration must be absolute. */
export async function checkPolicyModules(config: Config): Promise<readonly ConfigFault[]> {
  const faults = new Faults();
  const texts = new TextChecks(faults, config);
  for (const [name, pool] of Object.entries(config.pools)) {
    for (const key of ["policy", "shadow"] satisfies PolicyKey[]) {
      const policy = pool[key];
      if (policy?.name !== "custom") continue;
      const path = ["pools", name, key];
      const { definition, fault } = await loadPolicyModule(policy.module);
      if (definition === undefined) {
        faults.emerg([...path, "module"], `policy module "${policy.module}" ${fault}`);
      } else checkOptions(definition, policy.options, [...path, "options"], faults, texts);
    }
  }
  return faults.list;
}

function checkOptions(
  { name, options }: PolicyDefinition,
  given: Readonly<Record<string, unknown>>,
  path: ConfigPath,
  faults: Faults,
  texts: TextChecks,
): void {
  const known = Object.keys(options);
  for (const key of Object.keys(given)) {
    if (Object.hasOwn(options, key)) continue;
    const hint =
      didYouMean(key, known) ?? (known.length > 0 ? `valid: ${known.join(", ")}` : undefined);
    faults.emerg([...path, key], `unknown option "${key}" of policy ${name}`, hint);
  }
  for (const [key, option] of Object.entries(options)) {
    const value = given[key];
    if (value === undefined && isRequired(option)) {
      faults.emerg(path, `policy ${name} needs the option "${key}"`);
    }
    if (value === undefined) continue;
    const schema = optionSchema(option);
    if (!schema.safeParse(value).success) {
      const expected = describeExpected(
        alternatives(z.toJSONSchema(schema, { io: "input" }) as JsonSchema),
      );
      const message = `option "${key}" of policy ${name} must be ${expected}, not ${JSON.stringify(value)}`;
      faults.emerg([...path, key], message);
    } else if (option.kind === "template") {
      for (const template of [value].flat()) texts.template([...path, key], String(template));
    }
  }
}
