/** All endpoints; each engine family has some of them. */

import type { RequestError } from "../http/request-error.ts";
import type { Endpoint, SimpleEndpoint } from "./endpoint.ts";
import { countTokens, messages } from "./messages.ts";
import { sglangGenerate } from "./native/sglang-generate.ts";
import { vllmGenerate } from "./native/vllm-generate.ts";
import { chat } from "./openai/chat.ts";
import { completions } from "./openai/completions.ts";
import { invocations } from "./openai/invocations.ts";
import { responses } from "./responses/responses.ts";
import { detokenize } from "./simple/detokenize.ts";
import { embeddings } from "./simple/embeddings.ts";
import { reranks } from "./simple/rerank.ts";
import { tokenize } from "./simple/tokenize.ts";

export const endpoints: readonly Endpoint[] = [
  completions,
  chat,
  invocations,
  responses,
  messages,
  vllmGenerate,
  sglangGenerate,
];

export const simpleEndpoints: readonly SimpleEndpoint[] = [
  tokenize,
  detokenize,
  countTokens,
  embeddings,
  ...reranks,
];

const paths = new Set(endpoints.map(({ path }) => path));

const errorBodies = new Map(
  [...endpoints, ...simpleEndpoints].map(({ path, errorBody }) => [path, errorBody]),
);

/** The body of an error in the shape of that path. */
export function errorBodyAt(path: string, error: RequestError): string {
  return errorBodies.get(path)?.(error) ?? error.body();
}

/** Whether requests to this path are counted, and struck by faults that name no path. */
export function isInferencePath(path: string): boolean {
  return paths.has(path);
}
