/**
 * The policies of pools that say none: those of a hand-over are chosen for it. nginx.conf has nginx's own default, round robin, and
 * does not come here.
 */
import { type PolicyConfig, policySchema } from "./policies.ts";
import type { Config, ConfigInput } from "./schema.ts";

/** Prompts are held and ordered; decode goes by the room that prompts take. Measured in `docs/lab.md`. */
export const prefillPolicyName = "predictive";
export const decodePolicyName = "least_kv";

/** @param input what the configuration was made of */
export function withDefaultPolicies(config: Config, input: ConfigInput): Config {
  const says = (pool: string) => input.pools?.[pool]?.policy !== undefined;
  const pools = { ...config.pools };
  const use = (pool: string, name: PolicyConfig["name"]) => {
    const configured = pools[pool];
    if (configured !== undefined && !says(pool))
      pools[pool] = { ...configured, policy: policySchema.parse({ name }) };
  };
  for (const { prefill, target } of config.servers.flatMap(({ routes }) => routes)) {
    if (prefill === undefined) continue;
    if (target !== undefined && "pool" in target) use(target.pool, decodePolicyName);
    if ("pool" in prefill) use(prefill.pool, prefillPolicyName);
  }
  return { ...config, pools };
}
