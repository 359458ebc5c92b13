/** What a prefill engine's answer tells of its prompt: how many tokens it has, and how many of them were cached. */

import { KeyName } from "../body/key-name.ts";
import { type PathStep, valueAt } from "../body/path-value.ts";

/** Undefined = it does not tell. */
export interface PromptUsage {
  readonly promptTokens: number | undefined;
  readonly cachedTokens: number | undefined;
}

const usage = new KeyName("usage");
const metaInfo = new KeyName("meta_info");
const promptDetails = new KeyName("prompt_tokens_details");
const inputDetails = new KeyName("input_tokens_details");
const cachedTokens = new KeyName("cached_tokens");

/** Chat, completions and responses; messages; SGLang's `/generate`. */
const prompts: readonly (readonly PathStep[])[] = [
  [usage, new KeyName("prompt_tokens")],
  [usage, new KeyName("input_tokens")],
  [metaInfo, new KeyName("prompt_tokens")],
];
const cached: readonly (readonly PathStep[])[] = [
  [usage, promptDetails, cachedTokens],
  [usage, inputDetails, cachedTokens],
  [usage, new KeyName("cache_read_input_tokens")],
  [metaInfo, cachedTokens],
];

export function promptUsageOf(answer: Buffer): PromptUsage {
  return { promptTokens: firstCount(answer, prompts), cachedTokens: firstCount(answer, cached) };
}

function firstCount(answer: Buffer, paths: readonly (readonly PathStep[])[]): number | undefined {
  const whole = { start: 0, end: answer.length };
  for (const path of paths) {
    const at = valueAt(answer, whole, path);
    if (at === undefined) continue;
    const text = answer.toString("latin1", at.start, at.end);
    if (/^\d{1,9}$/.test(text)) return Number(text);
  }
  return undefined;
}
