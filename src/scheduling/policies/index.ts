/** The registry of policies: one line each, by the name in the configuration. */
import type { PolicyConfig } from "../../config/policies.ts";
import type { Policy, PolicyDeps } from "../policy.ts";
import { ascendHeap } from "./ascend-heap.ts";
import { cacheAware } from "./cache-aware.ts";
import { dynamo } from "./dynamo.ts";
import { hash } from "./hash.ts";
import { ipHash } from "./ip-hash.ts";
import { leastBytes } from "./least-bytes.ts";
import { leastConn } from "./least-conn.ts";
import { lengthBalance } from "./length-balance.ts";
import { llmD } from "./llm-d.ts";
import { powerOfTwo } from "./power-of-two.ts";
import { predictedTime } from "./predicted-time.ts";
import { random } from "./random.ts";
import { roundRobin } from "./round-robin.ts";
import { sessionAffinity } from "./session-affinity.ts";

type Factory<Name> = (deps: PolicyDeps, options: Extract<PolicyConfig, { name: Name }>) => Policy;

export const policies: { readonly [Name in PolicyConfig["name"]]: Factory<Name> } = {
  round_robin: roundRobin,
  least_conn: leastConn,
  least_bytes: leastBytes,
  random,
  ip_hash: ipHash,
  hash,
  length_balance: lengthBalance,
  cache_aware: cacheAware,
  power_of_two: powerOfTwo,
  session_affinity: sessionAffinity,
  ascend_heap: ascendHeap,
  dynamo,
  llm_d: llmD,
  predicted_time: predictedTime,
  // What it holds is placed before any policy is asked (`fleet/held-pool.ts`).
  predictive: predictedTime,
};

export function createPolicy(config: PolicyConfig, deps: PolicyDeps): Policy {
  const factory = policies[config.name] as Factory<PolicyConfig["name"]>;
  return factory(deps, config);
}
