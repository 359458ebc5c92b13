/** `POST /v1/chat/completions`. */

import { z } from "zod";
import { check } from "../../http/json-body.ts";
import { badRequest } from "../../http/request-error.ts";
import { chatPrompt, openChatPrompt } from "../../model/prompts.ts";
import { inferenceRequest } from "../../request/inference-request.ts";
import { readTokenOptions } from "../../request/token-options.ts";
import type { Endpoint } from "../endpoint.ts";
import { chatLogprobs } from "../logprobs.ts";
import { commonFields, commonParts, OpenAiFormat, optionalInt, type Shape } from "./format.ts";

/** `/tokenize` reads it, too. */
export const chatSchema = z.looseObject({
  ...commonFields,
  logprobs: z.boolean().nullish(),
  top_logprobs: optionalInt,
  max_completion_tokens: optionalInt,
  messages: z
    .array(
      z.looseObject({
        role: z.string(),
        content: z.union([z.string(), z.array(z.looseObject({ type: z.string() }))]).nullish(),
      }),
    )
    .min(1),
  tools: z.array(z.looseObject({ type: z.string() })).nullish(),
  continue_final_message: z.boolean().nullish(),
  add_generation_prompt: z.boolean().nullish(),
});

export const chat: Endpoint = {
  path: "/v1/chat/completions",

  read(body, served) {
    const fields = check(chatSchema, body.fields);
    const isContinued = fields.continue_final_message ?? false;
    if (isContinued && (fields.add_generation_prompt ?? true)) {
      throw badRequest(
        "Cannot set both `continue_final_message` and `add_generation_prompt` to True.",
        "continue_final_message",
      );
    }
    // As they arrived, because the check may reorder members.
    const { messages, tools } = body.fields;
    const parts = {
      ...commonParts(fields),
      tokenOptions: {
        // An echo is of the assistant's last message, which this engine never repeats.
        ...readTokenOptions(fields, fields.logprobs ? (fields.top_logprobs ?? 0) : undefined),
        echo: false,
        echoesOnly: false,
      },
      endpointName: "chat",
      idPrefix: "chatcmpl",
      body,
      prompts: [
        isContinued ? openChatPrompt(messages as unknown[], tools) : chatPrompt(messages, tools),
      ],
      // It has two names; the newer one takes precedence.
      maxTokens: fields.max_completion_tokens ?? fields.max_tokens ?? undefined,
      maxTokensName: fields.max_completion_tokens == null ? "max_tokens" : "max_completion_tokens",
    };
    return inferenceRequest(parts, served);
  },

  format: (request, requestId, createdSeconds) =>
    new OpenAiFormat(shape, request, requestId, createdSeconds),
};

const shape: Shape = {
  object: "chat.completion",
  chunkObject: "chat.completion.chunk",
  wholeText: (text) =>
    `"message":{"role":"assistant","content":${text},"refusal":null,"annotations":null,` +
    `"audio":null,"function_call":null,"tool_calls":[],"reasoning_content":null}`,
  tokenText: (text) => `"delta":{"content":${text}}`,
  opening: '"delta":{"role":"assistant","content":""}',
  wholeLogprobs: (request, _, output) => chatLogprobs(request, output, 0, output.countedTokens),
  tokenLogprobs: (request, _, output, position) =>
    chatLogprobs(request, output, position, position + 1),
  choiceMembers: { token_ids: "null" },
  topMembers: { prompt_logprobs: "null", prompt_token_ids: "null", kv_transfer_params: "null" },
  // Chat events have the field only when it has a value.
  noUsage: "",
};
