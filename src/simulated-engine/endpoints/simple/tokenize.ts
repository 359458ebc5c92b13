/** `POST /tokenize`: the token ids of a text or of a chat; at SGLang also of several texts. */

import { z } from "zod";
import { check } from "../../http/json-body.ts";
import { chatPrompt } from "../../model/prompts.ts";
import { bytesPerToken, tokenIdsOf } from "../../model/tokens.ts";
import { requireServed } from "../../request/served-models.ts";
import type { SimpleEndpoint } from "../endpoint.ts";
import { chatSchema } from "../openai/chat.ts";

const sglangSchema = z.looseObject({ prompt: z.union([z.string(), z.array(z.string()).min(1)]) });
const vllmSchema = z.looseObject({
  prompt: z.string().nullish(),
  return_token_strs: z.boolean().nullish(),
});

export const tokenize: SimpleEndpoint = {
  path: "/tokenize",
  families: ["vllm", "sglang"],

  response({ fields }, served) {
    const { model } = fields;
    if (typeof model === "string") requireServed(model, served);
    const max_model_len = served.maxModelLen;
    if (served.family === "sglang") {
      const { prompt } = check(sglangSchema, fields);
      const lists = [prompt].flat().map((text) => tokenIdsOf(Buffer.from(text)));
      const counts = lists.map(({ length }) => length);
      return JSON.stringify(
        Array.isArray(prompt)
          ? { tokens: lists, count: counts, max_model_len }
          : { tokens: lists[0], count: counts[0], max_model_len },
      );
    }
    const { prompt, return_token_strs } = check(vllmSchema, fields);
    const bytes = typeof prompt === "string" ? Buffer.from(prompt) : chatBytes(fields);
    const tokens = tokenIdsOf(bytes);
    const token_strs = return_token_strs
      ? tokens.map((_, at) =>
          bytes.toString("latin1", at * bytesPerToken, (at + 1) * bytesPerToken),
        )
      : null;
    return JSON.stringify({ count: tokens.length, max_model_len, tokens, token_strs });
  },
};

function chatBytes(fields: Readonly<Record<string, unknown>>): Buffer {
  check(chatSchema, fields);
  return chatPrompt(fields["messages"], fields["tools"]).bytes;
}
