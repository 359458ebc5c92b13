/**
 * Engines that share a store of KV caches (vLLM's ExampleConnector, LMCache, MooncakeStore): a request for one token
 * to prefill, then the request to decode, which finds the KV cache in the store. Requests say nothing about it.
 */

import type { Edits } from "../../body/edit/splice.ts";
import type { TopLevel } from "../../body/json/top-level.ts";
import { type DialectRequest, defineDialect, type KvTransfer } from "../dialect.ts";
import { kvTransferParams } from "../shared/kv-transfer-params.ts";
import { removeMember } from "../shared/members.ts";
import { askForOneToken } from "../shared/one-token.ts";
import { cacheHitThreshold } from "./cache-hit-threshold.ts";
import { byConnector, vllmFamily } from "./family.ts";
import { vllmResponses } from "./responses.ts";

export const sharedStorage = defineDialect({
  name: "shared-storage",
  summary: "engines that share a store of KV caches (LMCache, ExampleConnector, MooncakeStore)",
  family: vllmFamily,
  page: "shared-storage",
  transferFields: [kvTransferParams.text, cacheHitThreshold.text],
  overview: {
    prefill: "one token",
    decode: "nothing: it finds the KV cache by the prompt",
    idsFrom: "nobody",
  },
  detection: byConnector(/^(SharedStorage|Example|LMCache|LMCacheMP|MooncakeStore)Connector(V1)?$/),
  order: "prefill-first",
  merge: vllmResponses,
  strip: removeTransfer,
  beginTransfer: (request) => new SharedStorageTransfer(request),
});

class SharedStorageTransfer implements KvTransfer {
  readonly #request: DialectRequest;

  constructor(request: DialectRequest) {
    this.#request = request;
  }

  prefillEdits(edits: Edits): void {
    askForOneToken(this.#request, edits);
    removeTransfer(this.#request.members, edits);
  }

  /** The KV cache is stored before the engine responds. */
  prefillResponded(): undefined {
    return undefined;
  }

  decodeEdits(edits: Edits): void {
    removeTransfer(this.#request.members, edits);
  }
}

/** Engines may know these members, too, and only a proxy may set them. */
function removeTransfer(members: TopLevel, edits: Edits): void {
  removeMember(members, edits, kvTransferParams);
  removeMember(members, edits, cacheHitThreshold);
}
