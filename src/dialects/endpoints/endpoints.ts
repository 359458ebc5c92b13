/**
 * The endpoints of engines that a proxy treats in a way of their own, one entry each. Whatever is not here goes to one engine as it
 * comes: embeddings, rerank, score, audio, … Sources: vllm `entrypoints/openai/…/protocol.py`, `entrypoints/anthropic/protocol.py`,
 * `entrypoints/serve/disagg/protocol.py`; sglang `managers/io_struct.py`, `entrypoints/openai/protocol.py`.
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

/** Of vLLM and its kin. In a chat `max_completion_tokens` goes before `max_tokens`, and a completion ignores it. */
const tokenLimits = {
  most: maxTokens,
  mostToo: [key("max_completion_tokens")],
  least: minTokens,
  counts: [n, key("best_of")],
} as const;

const openai = { servedBy: "prefill-decode", errors: "openai", offForPrefill: [stream] } as const;

/** Also stands for any other path whose requests are prefilled. */
export const completions: Generating = {
  ...openai,
  name: "completions",
  paths: ["/completions"],
  limits: tokenLimits,
  prompts: [prompt],
  mayBeSeveral: true,
};

export const chatCompletions: Generating = {
  ...openai,
  name: "chat completions",
  paths: ["/chat/completions"],
  limits: tokenLimits,
  prompts: [messages],
  mayBeSeveral: false,
};

/** SageMaker's: the body says whether it is a chat. */
const invocations: Generating = {
  ...openai,
  name: "invocations",
  paths: ["/invocations"],
  limits: tokenLimits,
  prompts: [messages, prompt],
  mayBeSeveral: true,
};

const responses: Generating = {
  ...openai,
  name: "responses",
  paths: ["/responses"],
  limits: { most: key("max_output_tokens"), mostToo: [], counts: [] },
  prompts: [key("input")],
  mayBeSeveral: false,
  // In the background an engine answers before it has computed anything.
  offForPrefill: [stream, key("background"), store],
  keeps: { isKept: store, id: key("request_id"), previous: key("previous_response_id") },
};

const anthropicMessages: Generating = {
  servedBy: "prefill-decode",
  errors: "anthropic",
  name: "messages",
  paths: ["/messages"],
  limits: { most: maxTokens, mostToo: [], counts: [] },
  prompts: [messages],
  mayBeSeveral: false,
  offForPrefill: [stream],
};

/** vLLM's tokens in, tokens out. */
const vllmGenerate: Generating = {
  ...openai,
  name: "vLLM's generate",
  paths: ["/inference/v1/generate"],
  limits: { within: samplingParams, most: maxTokens, mostToo: [], least: minTokens, counts: [n] },
  prompts: [key("token_ids")],
  mayBeSeveral: false,
};

export const sglangGenerate: Generating = {
  servedBy: "prefill-decode",
  errors: "sglang",
  name: "SGLang's generate",
  paths: ["/generate"],
  limits: {
    within: samplingParams,
    most: key("max_new_tokens"),
    mostToo: [],
    least: key("min_new_tokens"),
    counts: [n],
  },
  // Ids count only where there is no text.
  prompts: [key("text"), key("input_ids")],
  mayBeSeveral: true,
  offForPrefill: [stream],
};

const models: Endpoint = { paths: ["/v1/models"], servedBy: "all-engines", errors: "openai" };

const tokenizers: Endpoint = {
  paths: ["/tokenize", "/detokenize", "/completions/render"],
  servedBy: "any-engine",
  errors: "openai",
};

const countTokens: Endpoint = {
  paths: ["/messages/count_tokens"],
  servedBy: "any-engine",
  errors: "anthropic",
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
];
