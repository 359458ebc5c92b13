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

/**
 * In the words of vLLM 0.32. A cap that fits the context alone, but not together with the prompt, is for the engine to
 * judge: 0.32 cuts it, older versions reject it.
 */
export function rejectedByVllm(
  limits: TokenLimits,
  contextTokens: number,
): LimitRejection | undefined {
  const { endpoint, leastCap, leastCapName, mostCap, minTokens, echoes } = limits;
  const isMessages = endpoint === anthropicMessages;
  if (mostCap < 1) {
    // An echo alone, as harnesses ask for the prompt's log-probabilities.
    if (mostCap === 0 && echoes) return undefined;
    if (isMessages) return rejection("max_tokens must be positive", "max_tokens");
    return ofParameter(`max_tokens must be at least 1, got ${mostCap}.`, "max_tokens", mostCap);
  }
  if (minTokens > mostCap) {
    return rejection(
      `min_tokens must be less than or equal to max_tokens=${mostCap}, got ${minTokens}.`,
      null,
    );
  }
  if (contextTokens === 0 || !contextChecked.has(endpoint)) return undefined;
  if (leastCap <= contextTokens) return undefined;
  // It makes a chat of messages.
  const name = isMessages ? "max_completion_tokens" : leastCapName;
  return ofParameter(
    `${name}=${leastCap} cannot be greater than max_model_len=${contextTokens}. ` +
      "Please request fewer output tokens.",
    name,
    leastCap,
  );
}

function ofParameter(message: string, name: string, value: number): LimitRejection {
  return rejection(`${message} (parameter=${name}, value=${value})`, name);
}

function rejection(message: string, param: string | null): LimitRejection {
  return { message, param, type: "BadRequestError" };
}
