/** `POST /tokenize`: the token ids of a text or of a chat. */

import { check } from "../json-body.ts";
import { chatPrompt } from "../prompts.ts";
import { noSuchModel } from "../request-error.ts";
import { tokenIdsOf } from "../tokens.ts";
import { chatSchema } from "./chat.ts";
import type { SimpleEndpoint } from "./endpoint.ts";

export const tokenize: SimpleEndpoint = {
  path: "/tokenize",

  answer({ fields }, served) {
    const model = fields["model"];
    if (typeof model === "string" && model !== served.model) throw noSuchModel(model);
    const tokens = tokenIdsOf(bytesOf(fields));
    const max_model_len = served.maxModelLen;
    return JSON.stringify({ count: tokens.length, max_model_len, tokens, token_strs: null });
  },
};

function bytesOf(fields: Readonly<Record<string, unknown>>): Buffer {
  if (typeof fields["prompt"] === "string") return Buffer.from(fields["prompt"]);
  check(chatSchema, fields);
  return chatPrompt(fields["messages"], fields["tools"]).bytes;
}
