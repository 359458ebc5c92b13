/** The endpoints that engines have, whatever their dialect. */

import type { RequestError } from "../http/request-error.ts";
import { chat } from "./chat.ts";
import { completions } from "./completions.ts";
import { detokenize } from "./detokenize.ts";
import { embeddings } from "./embeddings.ts";
import type { Endpoint, SimpleEndpoint } from "./endpoint.ts";
import { invocations } from "./invocations.ts";
import { countTokens, messages } from "./messages.ts";
import { reranks } from "./rerank.ts";
import { responses } from "./responses.ts";
import { sglangGenerate } from "./sglang-generate.ts";
import { tokenize } from "./tokenize.ts";
import { vllmGenerate } from "./vllm-generate.ts";

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

/** An error's body in the shape of that path. */
export function errorBodyAt(path: string, error: RequestError): string {
  return errorBodies.get(path)?.(error) ?? error.body();
}

/** Paths whose requests count as seen, whose ids are remembered, and which faults strike unless told otherwise. */
export function isInferencePath(path: string): boolean {
  return paths.has(path);
}
