/** How many tokens a request has had, as far as is known: of its usage, of its prefill's, or by counted events. */
import type { RequestContext } from "./request-context.ts";
import { outputTokensOf } from "./response-meter.ts";

/** -1 = not known. */
export interface TokenCounts {
  readonly prompt: number;
  /** Of the prompt, what an engine had in its cache. */
  readonly cached: number;
  readonly output: number;
  /** Whether the engine has counted the output; else its events were counted. */
  readonly isUsage: boolean;
}

/** To be called before the context's meter and members are taken away. */
export function tokenCounts(context: RequestContext): TokenCounts {
  const { meter, members } = context;
  const prefill = { prompt: context.promptTokens, cached: context.cachedTokens };
  if (meter === undefined || context.firstByteMs < 0 || context.status >= 400) {
    return { ...prefill, output: -1, isUsage: false };
  }
  const { hasUsage } = meter;
  const { tokens, isUsage } = outputTokensOf(meter, members, hasUsage);
  const prompt = hasUsage ? meter.promptTokens : -1;
  const cached = hasUsage ? meter.cachedTokens : -1;
  return {
    prompt: prompt >= 0 ? prompt : prefill.prompt,
    cached: cached >= 0 ? cached : prefill.cached,
    output: isUsage || meter.events > 0 ? tokens : -1,
    isUsage,
  };
}
