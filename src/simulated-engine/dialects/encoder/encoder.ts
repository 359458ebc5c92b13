/**
 * An engine that only encodes images, sounds and videos (vLLM's `ec_producer`), one per request, for engines that
 * compute prompts.
 */

import { badRequest } from "../../http/request-error.ts";
import { mediaItems } from "../../model/media-items.ts";
import type { InferenceRequest } from "../../request/inference-request.ts";
import type { EngineContext, EngineDialect, Leg } from "../dialect.ts";
import type { Embeddings } from "./embeddings.ts";

export function encoder(engine: EngineContext, embeddings: Embeddings): EngineDialect {
  const { sideRoutes } = embeddings;
  return {
    kvLeaseMs: 30_000,
    ...(sideRoutes && { sideRoutes }),
    leg: (request) => encodeLeg(engine, embeddings, request),
  };
}

/** An encode engine has no language model: text or further tokens in the request are violations. */
function encodeLeg(engine: EngineContext, embeddings: Embeddings, request: InferenceRequest): Leg {
  const { hashes, count, hasText } = mediaItems(request.fields);
  const [hash] = hashes;
  if (hash === undefined) {
    engine.violation("An encode engine was asked for text.");
    throw badRequest("This engine encodes images, sounds and videos only.", "messages");
  }
  if (count > 1 || hasText) engine.violation("An encode was not of one item alone.");
  if (request.stream) engine.violation("An encode was streamed.");
  if (request.lengths.maxTokens !== 1) engine.violation("An encode was not for one token.");
  return { tokensMax: 1, deliver: () => embeddings.put(hash, request.promptTokens) };
}
