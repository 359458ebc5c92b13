/**
 * Token limits that vLLM rejects. A prefill is asked for one token, so that its engine does not see them: a request
 * that decode would reject is known by them before a prefill is spent. Sources: vllm `sampling_params.py`
 * (`_verify_args`), `renderers/params.py` (`TokenizeParams`), `entrypoints/openai/completion/protocol.py`,
 * `entrypoints/anthropic/protocol.py`.
 */

import type { LimitRejection } from "../definition.ts";
import type { Generating } from "../endpoints/endpoint.ts";
import {
  anthropicMessages,
  chatCompletions,
  completions,
  invocations,
} from "../endpoints/endpoints.ts";
import type { TokenLimits } from "../shared/token-limits.ts";

/** Endpoints that all versions check against the model's context; others cut the response short instead. */
const contextChecked: ReadonlySet<Generating> = new Set([
  completions,
  chatCompletions,
  invocations,
  anthropicMessages,
]);

/** In vLLM's words. */
export function rejectedByVllm(
  limits: TokenLimits,
  contextTokens: number,
): LimitRejection | undefined {
  const { endpoint, leastCap, mostCap, minTokens, echoes, promptTokens } = limits;
  const { maxTokens, minTokens: minKey } = endpoint.limits;
  if (mostCap < 1) {
    // An echo alone, as harnesses ask for the prompt's log-probabilities.
    if (mostCap === 0 && echoes) return undefined;
    const isMessages = endpoint === anthropicMessages;
    const least = isMessages ? "be positive" : `be at least 1, got ${mostCap}.`;
    return rejection(`${maxTokens.text} must ${least}`, maxTokens.text);
  }
  if (minKey !== undefined && minTokens > mostCap) {
    const most = `${maxTokens.text}=${mostCap}`;
    const message = `${minKey.text} must be less than or equal to ${most}, got ${minTokens}.`;
    return rejection(message, minKey.text);
  }
  if (contextTokens === 0 || !contextChecked.has(endpoint)) return undefined;
  if (leastCap + promptTokens <= contextTokens) return undefined;
  const prompt = promptTokens === 0 ? "" : ` and your prompt contains ${promptTokens} input tokens`;
  const message =
    `This model's maximum context length is ${contextTokens} tokens. ` +
    `However, you requested ${leastCap} output tokens${prompt}.`;
  return rejection(message, maxTokens.text);
}

function rejection(message: string, param: string): LimitRejection {
  return { message, param, type: "BadRequestError" };
}
