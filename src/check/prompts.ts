/** Prompts that no engine has cached. */
import { checkPromptBytes } from "./limits.ts";

const words =
  "river stone light market engine garden letter window winter bridge paper silver harbour music field story".split(
    " ",
  );

/**
 * Fresh from its first word on, so that no block of it is cached. A byte is a token at most, so it fits into any
 * context that is longer than its bytes.
 *
 * @param contextTokens the engine's `max_model_len`; undefined = not known
 */
export function freshPrompt(random: () => number, contextTokens: number | undefined): string {
  const bytes = Math.min(checkPromptBytes, Math.max(64, (contextTokens ?? Infinity) - 128));
  let prompt = `Check ${Math.floor(random() * 1e12).toString(36)}:`;
  while (prompt.length < bytes) prompt += ` ${words[Math.floor(random() * words.length)]}`;
  return prompt.slice(0, bytes);
}
