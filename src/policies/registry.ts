/**
 * The registry of policies, one line each. Schema, documentation, directives, flags and the contract suite follow from
 * it.
 */
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
import type { PolicyDefinition } from "./shared/define-policy.ts";
import type { ValuesOf } from "./shared/options.ts";
import { staticBucket } from "./static-bucket.ts";
import { weightedLeastActive } from "./weighted-least-active.ts";

/** In the order of the documentation. */
export const policies = [
  roundRobin,
  leastConn,
  leastBytes,
  leastKv,
  random,
  ipHash,
  hash,
  lengthBalance,
  cacheAware,
  powerOfTwo,
  sessionAffinity,
  ascendHeap,
  dynamo,
  llmD,
  predictedTime,
  greedyTimeout,
  prefillScoreBalance,
  weightedLeastActive,
  pdScoreBalance,
  leastTotalLoad,
  autoBalanceController,
  prefixCacheAffinity,
  staticBucket,
  dynamicBucket,
  omniProxy,
] as const;

type Flat<Type> = { [Key in keyof Type]: Type[Key] };

type Values<Definition> =
  Definition extends PolicyDefinition<infer Name, infer Shape>
    ? Flat<{ readonly name: Name } & ValuesOf<Shape>>
    : never;

type Given<Definition> =
  Definition extends PolicyDefinition<infer Name, infer Shape>
    ? Flat<{ name: Name } & { -readonly [Key in keyof Shape]?: ValuesOf<Shape>[Key] }>
    : never;

/** A policy of the registry with all its options, as the configuration has it. */
export type BuiltInPolicy = Values<(typeof policies)[number]>;
/** The same as it is written: options with defaults may be missing. */
export type BuiltInPolicyInput = Given<(typeof policies)[number]>;

const byName = new Map<string, PolicyDefinition>(policies.map((policy) => [policy.name, policy]));

/** @returns undefined where there is no policy of this name */
export function policyNamed(name: string): PolicyDefinition | undefined {
  return byName.get(name);
}
