/** `POST /v1/completions`. */

import { z } from "zod";
import { inferenceRequest } from "../core/inference-request.ts";
import { check } from "../http/json-body.ts";
import { promptsOf } from "../model/prompts.ts";
import type { Endpoint } from "./endpoint.ts";
import { completionEventLogprobs, completionLogprobs, tokenWishes } from "./logprobs.ts";
import { commonFields, commonParts, OpenAiFormat, optionalInt, type Shape } from "./openai.ts";

const tokenIds = z.array(z.number().int().min(0));

const schema = z.looseObject({
  ...commonFields,
  logprobs: optionalInt,
  prompt: z.union([
    z.string(),
    z.array(z.string()).min(1),
    tokenIds.min(1),
    z.array(tokenIds).min(1),
  ]),
});

export const completions: Endpoint = {
  path: "/v1/completions",

  read(body, served) {
    const fields = check(schema, body.fields);
    const parts = {
      ...commonParts(fields),
      wishes: tokenWishes(fields, fields.logprobs ?? undefined),
      endpointName: "completions",
      idPrefix: "cmpl",
      body,
      prompts: promptsOf(fields.prompt),
      maxTokens: fields.max_tokens ?? undefined,
    };
    return inferenceRequest(parts, served);
  },

  format: (request, requestId, createdSeconds) =>
    new OpenAiFormat(shape, request, requestId, createdSeconds),
};

const shape: Shape = {
  object: "text_completion",
  chunkObject: "text_completion",
  wholeText: (text) => `"text":${text}`,
  tokenText: (text) => `"text":${text}`,
  opening: undefined,
  wholeLogprobs: completionLogprobs,
  tokenLogprobs: completionEventLogprobs,
  choiceMembers: { token_ids: "null", prompt_logprobs: "null", prompt_token_ids: "null" },
  topMembers: { kv_transfer_params: "null" },
  noUsage: ',"usage":null',
};
