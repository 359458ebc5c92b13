/**
 * Engines that share a store of KV caches (vLLM's ExampleConnector, LMCache, MooncakeStore): a request for one token to prefill, then
 * the request to decode, which finds the KV cache in the store. Nothing of it is said in a request.
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
  detection: byConnector(/SharedStorageConnector|ExampleConnector|LMCacheConnector/),
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

  /** That there is an answer says that the KV cache is stored. */
  prefillResponded(): undefined {
    return undefined;
  }

  decodeEdits(edits: Edits): void {
    removeTransfer(this.#request.members, edits);
  }
}

/** An engine may know these fields, too, and must hear of them from nobody but a proxy. */
function removeTransfer(members: TopLevel, edits: Edits): void {
  removeMember(members, edits, kvTransferParams);
  removeMember(members, edits, cacheHitThreshold);
}
