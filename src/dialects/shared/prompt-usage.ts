/** What a prefill engine's response reports of its prompt: how many tokens it has, and how many of them were cached. */

import { memberOf } from "../../body/edit/patches.ts";
import { KeyName } from "../../body/json/key-name.ts";
import type { Span } from "../../body/json/member-value.ts";

/** Undefined = not reported. */
export interface PromptUsage {
  readonly promptTokens: number | undefined;
  readonly cachedTokens: number | undefined;
}

const usage = new KeyName("usage");
const metaInfo = new KeyName("meta_info");
const cachedTokens = new KeyName("cached_tokens");

/**
 * As the endpoints name them; Anthropic's last. SGLang's `/generate` has `prompt_tokens` and `cached_tokens` side by
 * side.
 */
const promptCounts = [new KeyName("prompt_tokens"), new KeyName("input_tokens")];
const detailsNames = [new KeyName("prompt_tokens_details"), new KeyName("input_tokens_details")];
const cacheRead = new KeyName("cache_read_input_tokens");

export function promptUsageOf(response: Buffer): PromptUsage {
  const whole = { start: 0, end: response.length };
  const reported = memberOf(response, whole, usage) ?? memberOf(response, whole, metaInfo);
  if (reported === undefined) return unreported;
  const details = firstOf(response, reported, detailsNames);
  const cached =
    (details && memberOf(response, details, cachedTokens)) ??
    memberOf(response, reported, cacheRead) ??
    memberOf(response, reported, cachedTokens);
  return {
    promptTokens: countAt(response, firstOf(response, reported, promptCounts)),
    cachedTokens: countAt(response, cached),
  };
}

const unreported: PromptUsage = { promptTokens: undefined, cachedTokens: undefined };

function firstOf(response: Buffer, within: Span, names: readonly KeyName[]): Span | undefined {
  for (const name of names) {
    const at = memberOf(response, within, name);
    if (at !== undefined) return at;
  }
  return undefined;
}

function countAt(response: Buffer, at: Span | undefined): number | undefined {
  const text = at && response.toString("latin1", at.start, at.end);
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
