/** The original's ways to choose an engine, by its directives: one that switches the policy on, and one for each option. */
import type { PolicyConfig } from "../../../schema/policies.ts";
import { many, none, reading, size } from "../../reading/arguments.ts";
import { type Directive, honoured, ignored } from "../../reading/directive.ts";
import type { Scope } from "../../reading/scope.ts";
import { parseNumber } from "../../reading/units.ts";
import type { Word } from "../../syntax/lexer.ts";
import { type PolicyInput, readPolicyOptions } from "./policy-options.ts";

type PolicyName = PolicyConfig["name"];

/** `name on|off`; off = the upstream has no policy by this directive. */
function switched(name: PolicyName): Directive<PolicyInput | undefined> {
  const read = ([word, ...rest]: readonly Word[], scope: Scope) => {
    if (word!.text !== "on" && word!.text !== "off") {
      scope.fail(`invalid value "${word!.text}" in "${name}" directive`, word, "on or off");
    }
    const policy = readPolicyOptions(name, rest, scope);
    return word!.text === "on" ? policy : undefined;
  };
  return honoured(name, ["upstream"], reading(1, many, read), "`policy`; off", { repeats: true });
}

export const lengthBalance: Directive<PolicyInput> = honoured(
  "length_balance",
  ["upstream"],
  { ...none, read: () => ({ name: "length_balance" as const }) },
  "`policy`",
  { repeats: true },
);

const pdScoreBalance = honoured(
  "pd_score_balance",
  ["upstream"],
  reading(1, many, ([role, ...rest]: readonly Word[], scope): PolicyInput => {
    const known = ["prefill", "decode"] as const;
    const found = known.find((name) => name === role!.text);
    if (found === undefined) {
      scope.fail(`invalid value "${role!.text}" in "pd_score_balance" directive`, role);
    }
    return { ...readPolicyOptions("pd_score_balance", rest, scope), role: found } as PolicyInput;
  }),
  "`policy`, with `role`: `prefill` or `decode`. As in release 2508, or with `pd_score_balance_max_num_seqs` as in 2603",
  { repeats: true },
);

const staticBucket = honoured(
  "static_bucket",
  ["upstream"],
  reading(0, many, (words: readonly Word[], scope): PolicyInput => {
    if (words.length === 0) return { name: "static_bucket" };
    return { name: "static_bucket", bounds: words.map((word) => positive(word, scope)) };
  }),
  "`policy`, with `bounds` in bytes; 12000",
  { repeats: true },
);

export const originalPolicies: readonly Directive<PolicyInput | undefined>[] = [
  lengthBalance,
  switched("greedy_timeout"),
  switched("prefill_score_balance"),
  switched("weighted_least_active"),
  pdScoreBalance,
  switched("least_total_load"),
  switched("auto_balance_controller"),
  switched("prefix_cache_affinity"),
  staticBucket,
];

/** A directive that sets one option of the policy beside it. */
export interface PolicySetting {
  readonly directive: Directive<number>;
  /** Which have this option. */
  readonly policies: readonly PolicyName[];
  readonly option: string;
}

function setting(
  name: string,
  policies: readonly PolicyName[],
  option: string,
  read: (word: Word, scope: Scope) => number,
  byDefault: string,
): PolicySetting {
  const args = reading(1, 1, ([word], scope) => read(word!, scope));
  const does = `\`policy.${option}\`; ${byDefault}`;
  return { directive: honoured(name, ["upstream"], args, does), policies, option };
}

function natural(word: Word, scope: Scope): number {
  return parseNumber(word.text) ?? scope.fail(`"${scope.name}" directive invalid number`, word);
}

function positive(word: Word, scope: Scope): number {
  return natural(word, scope) || scope.fail(`"${scope.name}" directive invalid number`, word);
}

function fraction(word: Word, scope: Scope): number {
  if (/^\d+(\.\d*)?$|^\.\d+$/.test(word.text)) return Number(word.text);
  return scope.fail(`"${scope.name}" directive invalid number`, word);
}

export const policySettings: readonly PolicySetting[] = [
  setting("length_balance_merge_threshold", ["length_balance"], "mergeThreshold", positive, "32"),
  setting("length_balance_decay_factor", ["length_balance"], "decayFactor", positive, "2"),
  setting(
    "length_balance_req_len_weight",
    ["length_balance"],
    "requestLengthWeight",
    fraction,
    "1.0",
  ),
  setting("greedy_timeout_warmup", ["greedy_timeout"], "warmup", natural, "5"),
  setting("greedy_timeout_exp", ["greedy_timeout"], "exp", fraction, "1.8"),
  setting(
    "pd_score_balance_decode_req_limit",
    ["pd_score_balance"],
    "decodeReqLimit",
    natural,
    "no limit",
  ),
  setting(
    "pd_score_balance_max_num_seqs",
    ["pd_score_balance"],
    "maxNumSeqs",
    positive,
    "release 2508's meaning",
  ),
  setting(
    "least_total_load_batch_size",
    ["least_total_load", "prefix_cache_affinity"],
    "batchSize",
    positive,
    "16",
  ),
  setting(
    "auto_balance_controller_batch_size",
    ["auto_balance_controller"],
    "batchSize",
    positive,
    "24",
  ),
  setting(
    "prefix_cache_affinity_block_size",
    ["prefix_cache_affinity"],
    "blockBytes",
    positive,
    "640",
  ),
  setting(
    "prefix_cache_affinity_dict_size",
    ["prefix_cache_affinity"],
    "dictSize",
    positive,
    "10000",
  ),
];

const zones = [
  "greedy_timeout_shm_size",
  "prefill_score_shm_size",
  "weighted_least_active_shm_size",
  "pd_score_balance_shm_size",
];

export const originalPolicyDirectives: readonly Directive[] = [
  ...policySettings.map(({ directive }) => directive),
  ...zones.map((name) => ignored(name, ["http"], size, "all workers share one scoreboard")),
];
