/** `POST /rerank`: an order of documents that follows from their texts and the query alone. */

import { z } from "zod";
import { check } from "../../http/json-body.ts";
import { tokensOfBytes } from "../../model/tokens.ts";
import { requireServed } from "../../request/served-models.ts";
import type { EngineInfo, SimpleEndpoint } from "../endpoint.ts";
import { unitOf } from "./unit-number.ts";

const schema = z.looseObject({
  model: z.string().nullish(),
  query: z.string(),
  documents: z.array(z.string()).min(1),
  /** 0 = all. */
  top_n: z.number().int().min(0).nullish(),
});

export const reranks: readonly SimpleEndpoint[] = [
  { path: "/rerank", families: ["vllm"], response },
  { path: "/v1/rerank", families: ["vllm", "sglang"], response },
  { path: "/v2/rerank", families: ["vllm"], response },
];

function response(
  { fields }: Parameters<SimpleEndpoint["response"]>[0],
  served: EngineInfo,
): string {
  const { model, family } = served;
  const { model: requested, query, documents, top_n } = check(schema, fields);
  if (requested) requireServed(requested, served);
  const ranked = documents
    .map((text, index) => ({ text, index, score: unitOf(Buffer.from(query + text), 0) }))
    .sort((a, b) => b.score - a.score)
    .slice(0, top_n || documents.length);
  if (family === "sglang") {
    return JSON.stringify(
      ranked.map(({ text, index, score }) => ({ score, document: text, index })),
    );
  }
  const tokens = documents.reduce(
    (sum, text) => sum + tokensOfBytes(Buffer.byteLength(query + text)),
    0,
  );
  const results = ranked.map(({ text, index, score }) => ({
    index,
    document: { text, multi_modal: null },
    relevance_score: score,
  }));
  const id = `rerank-${unitOf(Buffer.from(query), 0).toString(16).slice(2)}`;
  const usage = { prompt_tokens: tokens, total_tokens: tokens };
  return JSON.stringify({ id, model, usage, results });
}
