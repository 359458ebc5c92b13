/** `POST /detokenize`: the text of token ids; at SGLang also of several lists. */

import { z } from "zod";
import { check } from "../../http/json-body.ts";
import { badRequest } from "../../http/request-error.ts";
import { promptsOf } from "../../model/prompts.ts";
import { requireServed } from "../../request/served-models.ts";
import type { SimpleEndpoint } from "../endpoint.ts";

const ids = z.array(z.number().int().min(0));
const schema = z.looseObject({
  model: z.string().nullish(),
  tokens: z.union([ids, z.array(ids).min(1)]),
});

export const detokenize: SimpleEndpoint = {
  path: "/detokenize",
  families: ["vllm", "sglang"],

  response({ fields }, served) {
    const { model, tokens } = check(schema, fields);
    const { family } = served;
    if (model) requireServed(model, served);
    if (!isLists(tokens)) {
      const text = textOf(tokens);
      return JSON.stringify(family === "sglang" ? { text } : { prompt: text });
    }
    if (family !== "sglang") {
      throw badRequest("tokens.0: Input should be a valid integer", "tokens");
    }
    return JSON.stringify({ text: tokens.map(textOf) });
  },
};

function isLists(tokens: number[] | number[][]): tokens is number[][] {
  return Array.isArray(tokens[0]);
}

function textOf(tokens: readonly number[]): string {
  return tokens.length === 0 ? "" : promptsOf(tokens)[0]!.bytes.toString();
}
