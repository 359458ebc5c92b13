/** The prompt of a check: no engine has any of it cached. */
import { freshPrompt } from "../estimates/fresh-prompt.ts";
import type { CheckContext } from "./context.ts";
import { checkPromptBytes } from "./limits.ts";

/** Bytes of the shortest word, and of the space before it. */
const wordBytesMin = 3;

/** A byte is a token at most, so it fits into any context that is longer than its bytes. */
export function checkPrompt({
  random,
  contextTokens = Number.POSITIVE_INFINITY,
}: Pick<CheckContext, "random" | "contextTokens">): string {
  const bytes = Math.min(checkPromptBytes, Math.max(64, contextTokens - 128));
  return freshPrompt(bytes / wordBytesMin, random).slice(0, bytes);
}
