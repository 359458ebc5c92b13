/** Of an `upstream`: what is asked of its engines and told by them, and the policy that would have decided otherwise. */

import { policyNames } from "../../../policy-text.ts";
import { didYouMean } from "../../../problems/suggest.ts";
import type { PolicyInput, PolicyName } from "../../../schema/policies.ts";
import { kvEventsSchema } from "../../../schema/pool/kv-events.ts";
import type { ConfigInput } from "../../../schema/schema.ts";
import { flag, many, reading } from "../../reading/arguments.ts";
import type { Context } from "../../reading/context.ts";
import { type Directive, honoured } from "../../reading/directive.ts";
import type { Scope } from "../../reading/scope.ts";
import { parseNumber, parseTime } from "../../reading/units.ts";
import type { Word } from "../../syntax/lexer.ts";
import { readPolicyOptions } from "./policy-options.ts";

type KvEventsInput = NonNullable<NonNullable<ConfigInput["pools"]>[string]["kvEvents"]>;

const here: readonly Context[] = ["upstream"];

/** The schema's least. */
const signalsLeastMs = 50;

export const signals = honoured(
  "pd_signals",
  here,
  reading(1, 1, ([word], scope) => {
    const intervalMs = parseTime(word!.text);
    if (intervalMs !== undefined && intervalMs >= signalsLeastMs) return { intervalMs };
    const message = `invalid time "${word!.text}" in "pd_signals" directive`;
    return scope.fail(`${message}, at least ${signalsLeastMs}ms`, word);
  }),
  "`signals`: how often engines are asked for their load (`docs/signals.md`)",
);

export const cacheTokens = honoured(
  "kv_cache_tokens",
  here,
  reading(1, 1, ([word], scope) => {
    const count = parseNumber(word!.text);
    if (count !== undefined && count <= 1_000_000_000_000) return count;
    return scope.fail(`invalid value "${word!.text}" in "kv_cache_tokens" directive`, word);
  }),
  "`cacheTokens`; 0",
);

export const tokenize = honoured("pd_tokenize", here, flag, "`tokenize`; off");

/** As nginx writes parameters; of the schema's names. */
const kvEventParameters = { port: "port", replay: "replayPort", topic: "topic" } as const;

function readKvEvents(parameters: readonly Word[], scope: Scope): KvEventsInput {
  const read: Record<string, unknown> = {};
  for (const word of parameters) {
    const [, name = "", text = ""] = /^(\w+)=(.*)$/s.exec(word.text) ?? [];
    const key = Object.entries(kvEventParameters).find(([known]) => known === name)?.[1];
    const value = key === "topic" ? text : parseNumber(text);
    if (
      key === undefined ||
      value === undefined ||
      !kvEventsSchema.shape[key].safeParse(value).success
    ) {
      const hint = key === undefined ? didYouMean(name, Object.keys(kvEventParameters)) : undefined;
      scope.fail(`invalid parameter "${word.text}"`, word, hint);
    }
    read[key] = value;
  }
  return read as KvEventsInput;
}

export const kvEvents = honoured(
  "pd_kv_events",
  here,
  reading(0, many, readKvEvents),
  "`kvEvents`: `port=` (5557), `replay=` (none), `topic=`; needs `pd_tokenize on` (`docs/kv-events.md`)",
);

function readShadow([name, ...options]: readonly Word[], scope: Scope): PolicyInput {
  const known = policyNames.find((one) => one === name!.text);
  if (known !== undefined) return readPolicyOptions(known as PolicyName, options, scope);
  return scope.fail(`unknown policy "${name!.text}"`, name, didYouMean(name!.text, policyNames));
}

export const shadow = honoured(
  "pd_shadow",
  here,
  reading(1, many, readShadow),
  "`shadow`: a policy and its options, which decides nothing (`docs/admin.md`)",
);

export const engineKnowledge: readonly Directive[] = [
  cacheTokens,
  kvEvents,
  shadow,
  signals,
  tokenize,
];
