/** `POST /v1/completions`. */

import { z } from "zod";
import { check } from "../../http/json-body.ts";
import { promptsOf } from "../../model/prompts.ts";
import { inferenceRequest } from "../../request/inference-request.ts";
import { readTokenOptions } from "../../request/token-options.ts";
import type { Endpoint } from "../endpoint.ts";
import { completionEventLogprobs, completionLogprobs } from "../logprobs.ts";
import { commonFields, commonParts, OpenAiFormat, optionalInt, type Shape } from "./format.ts";

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
    const tokenOptions = readTokenOptions(fields, fields.logprobs ?? undefined);
    const parts = {
      ...commonParts(fields),
      tokenOptions,
      endpointName: "completions",
      idPrefix: "cmpl",
      body,
      prompts: promptsOf(fields.prompt),
      maxTokens: tokenOptions.echoesOnly ? 1 : (fields.max_tokens ?? undefined),
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
