/** The registry of policies: one line each, by the name in the configuration. */
import type { PolicyConfig } from "../config/schema/policies.ts";
import { ascendHeap } from "./ascend-heap.ts";
import { autoBalanceController } from "./auto-balance-controller.ts";
import { cacheAware } from "./cache-aware.ts";
import { dynamicBucket } from "./dynamic-bucket.ts";
import { dynamo } from "./dynamo.ts";
import { greedyTimeout } from "./greedy-timeout.ts";
import { hash } from "./hash.ts";
import { ipHash } from "./ip-hash.ts";
import { leastBytes } from "./least-bytes.ts";
import { leastConn } from "./least-conn.ts";
import { leastKv } from "./least-kv.ts";
import { leastTotalLoad } from "./least-total-load.ts";
import { lengthBalance } from "./length-balance.ts";
import { llmD } from "./llm-d.ts";
import { omniProxy } from "./omni-proxy.ts";
import { pdScoreBalance } from "./pd-score-balance.ts";
import { powerOfTwo } from "./power-of-two.ts";
import { predictedTime } from "./predicted-time.ts";
import { prefillScoreBalance } from "./prefill-score-balance.ts";
import { prefixCacheAffinity } from "./prefix-cache-affinity.ts";
import { random } from "./random.ts";
import { roundRobin } from "./round-robin.ts";
import { sessionAffinity } from "./session-affinity.ts";
import type { Policy, PolicyDeps } from "./shared/policy.ts";
import { staticBucket } from "./static-bucket.ts";
import { weightedLeastActive } from "./weighted-least-active.ts";

type Factory<Name> = (deps: PolicyDeps, options: Extract<PolicyConfig, { name: Name }>) => Policy;

export const policies: { readonly [Name in PolicyConfig["name"]]: Factory<Name> } = {
  round_robin: roundRobin,
  least_conn: leastConn,
  least_bytes: leastBytes,
  least_kv: leastKv,
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
  // What it holds is placed before any policy is asked (`queue/prefill-queue-pool.ts`).
  predictive: predictedTime,
  greedy_timeout: greedyTimeout,
  prefill_score_balance: prefillScoreBalance,
  weighted_least_active: weightedLeastActive,
  pd_score_balance: pdScoreBalance,
  least_total_load: leastTotalLoad,
  auto_balance_controller: autoBalanceController,
  prefix_cache_affinity: prefixCacheAffinity,
  static_bucket: staticBucket,
  dynamic_bucket: dynamicBucket,
  omni_proxy: omniProxy,
};

export function createPolicy(config: PolicyConfig, deps: PolicyDeps): Policy {
  const factory = policies[config.name] as Factory<PolicyConfig["name"]>;
  return factory(deps, config);
}
