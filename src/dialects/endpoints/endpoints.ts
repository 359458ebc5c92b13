/**
 * The endpoints of engines that a proxy knows, one entry each. Whatever is not here goes to one engine as it comes, and
 * never twice. Sources: vllm `entrypoints/openai/…/protocol.py`,
 * `entrypoints/anthropic/protocol.py`, `entrypoints/serve/disagg/protocol.py`; sglang `managers/io_struct.py`,
 * `entrypoints/openai/protocol.py`.
 */

import { KeyName } from "../../body/json/key-name.ts";
import type { Endpoint, Generating } from "./endpoint.ts";

const key = (name: string): KeyName => new KeyName(name);
const prompt = key("prompt");
const messages = key("messages");
const maxTokens = key("max_tokens");
const minTokens = key("min_tokens");
const samplingParams = key("sampling_params");
const n = key("n");
const stream = key("stream");
const store = key("store");
const input = key("input");
const choices = key("choices");

/** Of vLLM and its kin. In a chat `max_completion_tokens` goes before `max_tokens`, and a completion ignores it. */
const tokenLimits = {
  maxTokens: maxTokens,
  maxTokensAliases: [key("max_completion_tokens")],
  minTokens,
  choiceCounts: [n, key("best_of")],
} as const;

const openai = { servedBy: "prefill-decode", errors: "openai", offForPrefill: [stream] } as const;

/** Also stands for any other path whose requests are prefilled. */
export const completions: Generating = {
  ...openai,
  name: "completions",
  paths: ["/completions"],
  choices,
  limits: tokenLimits,
  prompts: [prompt],
  // Embeddings may stand for the prompt.
  required: [],
  allowsSeveralPrompts: true,
};

export const chatCompletions: Generating = {
  ...openai,
  name: "chat completions",
  paths: ["/chat/completions"],
  choices,
  limits: { ...tokenLimits, aliasesLimit: true },
  prompts: [messages],
  required: [messages],
  allowsSeveralPrompts: false,
};

/** SageMaker's: the body says whether it is a chat, a completion, or what an engine of embeddings computes. */
export const invocations: Generating = {
  ...openai,
  name: "invocations",
  paths: ["/invocations"],
  limits: tokenLimits,
  prompts: [messages, prompt],
  required: [],
  allowsSeveralPrompts: true,
};

const responses: Generating = {
  ...openai,
  name: "responses",
  paths: ["/responses"],
  limits: { maxTokens: key("max_output_tokens"), maxTokensAliases: [], choiceCounts: [] },
  prompts: [input],
  required: [input],
  allowsSeveralPrompts: false,
  // In the background an engine responds before it has computed anything.
  offForPrefill: [stream, key("background"), store],
  storage: {
    isStored: store,
    id: key("request_id"),
    previous: key("previous_response_id"),
    conversation: key("conversation"),
  },
};

export const anthropicMessages: Generating = {
  servedBy: "prefill-decode",
  errors: "anthropic",
  name: "messages",
  // Not all that ends in "/messages": OpenAI adds to a thread at one such path.
  paths: ["/v1/messages"],
  limits: { maxTokens: maxTokens, maxTokensAliases: [], choiceCounts: [] },
  prompts: [messages],
  required: [messages, maxTokens],
  allowsSeveralPrompts: false,
  offForPrefill: [stream],
};

/** vLLM's tokens in, tokens out. */
const vllmGenerate: Generating = {
  ...openai,
  name: "vLLM's generate",
  paths: ["/inference/v1/generate"],
  limits: {
    within: samplingParams,
    maxTokens: maxTokens,
    maxTokensAliases: [],
    minTokens,
    choiceCounts: [n],
  },
  prompts: [key("token_ids")],
  required: [],
  allowsSeveralPrompts: false,
};

export const sglangGenerate: Generating = {
  servedBy: "prefill-decode",
  errors: "sglang",
  name: "SGLang's generate",
  paths: ["/generate"],
  limits: {
    within: samplingParams,
    maxTokens: key("max_new_tokens"),
    maxTokensAliases: [],
    minTokens: key("min_new_tokens"),
    choiceCounts: [n],
  },
  // Ids count only where there is no text.
  prompts: [key("text"), key("input_ids")],
  required: [],
  allowsSeveralPrompts: true,
  offForPrefill: [stream],
};

const models: Endpoint = { paths: ["/v1/models"], servedBy: "all-engines", errors: "openai" };

const tokenizers: Endpoint = {
  paths: ["/tokenize", "/detokenize", "/completions/render"],
  servedBy: "any-engine",
  errors: "openai",
};

const countTokens: Endpoint = {
  paths: ["/v1/messages/count_tokens"],
  servedBy: "any-engine",
  errors: "anthropic",
};

/** What computes a response and nothing else. */
const computing: Endpoint = {
  paths: [
    "/chat/completions/batch",
    "/api/chat",
    "/vertex_generate",
    "/embeddings",
    "/embed",
    "/encode",
    "/pooling",
    "/classify",
    "/score",
    "/generative_scoring",
    "/rerank",
    "/parse_function_call",
    "/separate_reasoning",
    "/moderations",
    "/audio/transcriptions",
    "/audio/translations",
    "/audio/speech",
    "/images/generations",
  ],
  servedBy: "one-engine",
  errors: "openai",
};

export const endpoints: readonly (Endpoint | Generating)[] = [
  completions, //
  chatCompletions,
  invocations,
  responses,
  anthropicMessages,
  vllmGenerate,
  sglangGenerate,
  models,
  tokenizers,
  countTokens,
  computing,
];
