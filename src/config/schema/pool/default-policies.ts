/**
 * The policies of pools that say none: those of prefill and decode suit a KV transfer. nginx.conf has nginx's own
 * default, round robin, and does not come here.
 */

import type { Config, ConfigInput } from "../schema.ts";
import { type PolicyConfig, policySchema } from "./policies.ts";
import { queueSchema } from "./queue.ts";
import { expandShortForm } from "./short-form.ts";

/** Prompts wait and are placed by a queue; decode goes by the KV cache in use. Measured in `docs/lab.md`. */
export const prefillPolicyName = "predictive";
export const decodePolicyName = "least_kv";

/** @param input what the configuration was made of */
export function withDefaultPolicies(config: Config, input: ConfigInput): Config {
  const says = (pool: string) => input.pools?.[pool]?.policy !== undefined;
  const pools = { ...config.pools };
  const use = (pool: string, name: PolicyConfig["name"]) => {
    const configured = config.pools[pool];
    if (configured === undefined || says(pool)) return;
    const { policy: _, ...rest } = configured;
    const written = { ...rest, policy: policySchema.parse({ name }) };
    const expanded = expandShortForm<PolicyConfig, typeof written>(written);
    pools[pool] = expanded;
    const { queue } = input.pools?.[pool] ?? {};
    if (queue === undefined) return;
    // The options that are written count; without an order they are those of the default queue, if there is one.
    const order = queue.order ?? expanded.queue?.order;
    pools[pool] = { ...expanded, queue: queueSchema.parse({ ...queue, order }) };
  };
  for (const { prefill, target } of config.servers.flatMap(({ routes }) => routes)) {
    if (prefill === undefined) continue;
    if (target !== undefined && "pool" in target) use(target.pool, decodePolicyName);
    if ("pool" in prefill) use(prefill.pool, prefillPolicyName);
  }
  return { ...config, pools };
}
