/** What a prefill engine's answer tells of its prompt: how many tokens it has, and how many of them were cached. */

import { KeyName } from "../../body/key-name.ts";
import type { Span } from "../../body/member-value.ts";
import { memberOf } from "../../body/patches.ts";

/** Undefined = it does not tell. */
export interface PromptUsage {
  readonly promptTokens: number | undefined;
  readonly cachedTokens: number | undefined;
}

const usage = new KeyName("usage");
const metaInfo = new KeyName("meta_info");
const cachedTokens = new KeyName("cached_tokens");

/** As the endpoints name them; Anthropic's last. SGLang's `/generate` has `prompt_tokens` and `cached_tokens` side by side. */
const promptCounts = [new KeyName("prompt_tokens"), new KeyName("input_tokens")];
const detailsNames = [new KeyName("prompt_tokens_details"), new KeyName("input_tokens_details")];
const cacheRead = new KeyName("cache_read_input_tokens");

export function promptUsageOf(answer: Buffer): PromptUsage {
  const whole = { start: 0, end: answer.length };
  const told = memberOf(answer, whole, usage) ?? memberOf(answer, whole, metaInfo);
  if (told === undefined) return untold;
  const details = firstOf(answer, told, detailsNames);
  const cached =
    (details && memberOf(answer, details, cachedTokens)) ??
    memberOf(answer, told, cacheRead) ??
    memberOf(answer, told, cachedTokens);
  return {
    promptTokens: countAt(answer, firstOf(answer, told, promptCounts)),
    cachedTokens: countAt(answer, cached),
  };
}

const untold: PromptUsage = { promptTokens: undefined, cachedTokens: undefined };

function firstOf(answer: Buffer, within: Span, names: readonly KeyName[]): Span | undefined {
  for (const name of names) {
    const at = memberOf(answer, within, name);
    if (at !== undefined) return at;
  }
  return undefined;
}

function countAt(answer: Buffer, at: Span | undefined): number | undefined {
  const text = at && answer.toString("latin1", at.start, at.end);
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
