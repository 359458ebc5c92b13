/** Paths whose answers take no decode: token ids back to text, embeddings, ranking. Values follow from the texts alone. */

import { z } from "zod";
import { check } from "../json-body.ts";
import { mix32 } from "../prng.ts";
import { promptsOf } from "../prompts.ts";
import { noSuchModel } from "../request-error.ts";
import { tokenIdsOf } from "../tokens.ts";
import type { SimpleEndpoint } from "./endpoint.ts";

const model = z.string().nullish();
const idsSchema = z.looseObject({ model, tokens: z.array(z.number().int().min(0)) });
const inputSchema = z.looseObject({
  model,
  input: z.union([z.string(), z.array(z.string()).min(1)]),
});
const rankSchema = z.looseObject({
  model,
  query: z.string(),
  documents: z.array(z.string()).min(1),
});

const dimensions = 8;

export const detokenize: SimpleEndpoint = {
  path: "/detokenize",
  answer({ fields }, served) {
    const { tokens } = known(idsSchema, fields, served.model);
    const [prompt] = promptsOf(tokens);
    return JSON.stringify({ prompt: prompt!.bytes.toString() });
  },
};

export const embeddings: SimpleEndpoint = {
  path: "/v1/embeddings",
  answer({ fields }, served) {
    const { input } = known(inputSchema, fields, served.model);
    const data = [input].flat().map((text, index) => ({
      index,
      object: "embedding",
      embedding: Array.from({ length: dimensions }, (_, at) => unit(text, at)),
    }));
    const tokens = [input]
      .flat()
      .reduce((sum, text) => sum + tokenIdsOf(Buffer.from(text)).length, 0);
    const usage = { prompt_tokens: tokens, total_tokens: tokens };
    return JSON.stringify({ object: "list", model: served.model, data, usage });
  },
};

export const rerank: SimpleEndpoint = {
  path: "/v1/rerank",
  answer({ fields }, served) {
    const { query, documents } = known(rankSchema, fields, served.model);
    const results = documents
      .map((text, index) => ({ index, document: { text }, relevance_score: unit(query + text, 0) }))
      .sort((a, b) => b.relevance_score - a.relevance_score);
    return JSON.stringify({ model: served.model, results });
  },
};

function known<T extends z.ZodType<{ model?: string | null | undefined }>>(
  schema: T,
  fields: unknown,
  served: string,
): z.output<T> {
  const checked = check(schema, fields);
  if (checked.model && checked.model !== served) throw noSuchModel(checked.model);
  return checked;
}

/** From 0 to 1. */
function unit(text: string, salt: number): number {
  let seed = salt;
  for (const id of tokenIdsOf(Buffer.from(text))) seed = mix32(seed, id, 1);
  return (seed >>> 0) / 4_294_967_296;
}
