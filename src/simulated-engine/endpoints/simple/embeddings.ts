/** `POST /v1/embeddings`: vectors that follow from the text alone. */

import { z } from "zod";
import { check } from "../../http/json-body.ts";
import { promptsOf } from "../../model/prompts.ts";
import { requireServed } from "../../request/served-models.ts";
import type { SimpleEndpoint } from "../endpoint.ts";
import { unitOf } from "./unit-number.ts";

const ids = z.array(z.number().int().min(0));
const schema = z.looseObject({
  model: z.string().nullish(),
  input: z.union([z.string(), z.array(z.string()).min(1), ids.min(1), z.array(ids.min(1)).min(1)]),
  encoding_format: z.enum(["float", "base64"]).nullish(),
  dimensions: z.number().int().min(1).max(4_096).nullish(),
});

const usualDimensions = 8;

export const embeddings: SimpleEndpoint = {
  path: "/v1/embeddings",
  families: ["vllm", "sglang"],

  response({ fields }, served) {
    const { model, family, createdSeconds } = served;
    const { model: requested, input, encoding_format, dimensions } = check(schema, fields);
    if (requested) requireServed(requested, served);
    const prompts = promptsOf(input);
    const data = prompts.map(({ bytes }, index) => {
      const values = Float32Array.from({ length: dimensions ?? usualDimensions }, (_, at) =>
        unitOf(bytes, at),
      );
      const embedding =
        encoding_format === "base64"
          ? Buffer.from(values.buffer).toString("base64")
          : Array.from(values);
      return { index, object: "embedding", embedding };
    });
    const tokens = prompts.reduce((sum, prompt) => sum + prompt.tokens, 0);
    const usage = {
      prompt_tokens: tokens,
      total_tokens: tokens,
      completion_tokens: 0,
      prompt_tokens_details: null,
    };
    const id = `embd-${unitOf(prompts[0]!.bytes, 0).toString(16).slice(2)}`;
    const ofVllm = family === "vllm" ? { id, created: createdSeconds } : {};
    return JSON.stringify({ ...ofVllm, object: "list", model, data, usage });
  },
};
