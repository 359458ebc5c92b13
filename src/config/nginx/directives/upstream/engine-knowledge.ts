/** Directives of `upstream` about what the proxy knows of its engines, and about the shadow policy. */

import { didYouMean } from "../../../problems/suggest.ts";
import { kvEventsSchema } from "../../../schema/pool/kv-events.ts";
import type { PolicyInput, PolicyName } from "../../../schema/pool/policies.ts";
import { policyNames } from "../../../schema/pool/policy-text.ts";
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

/** The schema's bound. */
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
  "`signals.intervalMs` (`docs/signals.md`)",
  { byDefault: "off" },
);

export const cacheTokens = honoured(
  "kv_cache_tokens",
  here,
  reading(1, 1, ([word], scope) => {
    const count = parseNumber(word!.text);
    if (count !== undefined && count <= 1_000_000_000_000) return count;
    return scope.fail(`invalid value "${word!.text}" in "kv_cache_tokens" directive`, word);
  }),
  "`cacheTokens`",
  { byDefault: "0: unknown" },
);

export const tokenize = honoured("pd_tokenize", here, flag, "`tokenize`", {
  byDefault: "`off`",
});

/** Parameters of the directive, by the keys that they set. */
const kvEventParameters = {
  port: "port",
  replay: "replayPort",
  listen: "listen",
  topic: "topic",
} as const;
const kvEventTexts: readonly string[] = ["listen", "topic"];

function readKvEvents(parameters: readonly Word[], scope: Scope): KvEventsInput {
  const read: Record<string, unknown> = {};
  for (const word of parameters) {
    const [, name = "", text = ""] = /^(\w+)=(.*)$/s.exec(word.text) ?? [];
    const key = Object.entries(kvEventParameters).find(([known]) => known === name)?.[1];
    const value = key !== undefined && kvEventTexts.includes(key) ? text : parseNumber(text);
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
  "`kvEvents` (`docs/kv-events.md`)",
  {
    byDefault: "off",
    note:
      "`port=` (5557), or `listen=` (`tcp://*:5557`) for engines that dial out; " +
      "`replay=` (none), `topic=` (all). Needs `pd_tokenize on`.",
  },
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
  "`shadow` (`docs/admin.md`)",
  { byDefault: "none", note: "A policy and its options. It decides nothing." },
);

export const engineKnowledge: readonly Directive[] = [
  cacheTokens,
  kvEvents,
  shadow,
  signals,
  tokenize,
];
