/** `global-proxy/policy`: what the author of a policy needs. See docs/extending.md. */
export { PrefixIndex, uncachedBytes } from "../prefix-cache/prefix-index.ts";
export {
  definePolicy,
  type NginxForm,
  type PolicyDefinition,
  type PolicyNeeds,
  type WeightUse,
} from "./shared/define-policy.ts";
export { HashRing } from "./shared/hash-ring.ts";
export { LowestScore } from "./shared/lowest-score.ts";
export {
  choice,
  flag,
  integer,
  integers,
  number,
  type Option,
  type OptionShape,
  optionalInteger,
  template,
  templates,
  text,
  type ValuesOf,
} from "./shared/options.ts";
export type { Candidates, PickRequest, Policy, PolicyDeps, PoolView } from "./shared/policy.ts";
export { seededRandom } from "./shared/seeded-random.ts";
export { TieBreaker } from "./shared/tie-breaker.ts";
