/**
 * Omni-infer: the engine adds to the prefill what its connector needs; decode gets the prefill's `kv_transfer_params`
 * verbatim.
 */

import type { Edits } from "../../body/edit/splice.ts";
import { type DialectRequest, defineDialect, type KvTransfer } from "../dialect.ts";
import { kvTransferParams, takeKvTransferParams } from "../shared/kv-transfer-params.ts";
import { removeMember } from "../shared/members.ts";
import { askForOneToken } from "../shared/one-token.ts";
import { vllmFamily } from "../vllm/family.ts";
import { vllmResponses } from "../vllm/responses.ts";

export const omni = defineDialect({
  name: "omni",
  summary: "Omni-infer: decode gets the prefill engine's `kv_transfer_params`",
  family: vllmFamily,
  page: "omni",
  transferFields: [kvTransferParams.text],
  overview: {
    prefill: "one token, not streamed",
    decode: "`kv_transfer_params` of the prefill's response",
    idsFrom: "engine",
  },
  order: "prefill-first",
  prefillNamesKv: true,
  release: {
    by: "cancelled-decode",
    how: "decode's request, cancelled",
    lease: "as its KV connector sets it",
  },
  merge: vllmResponses,
  strip: (members, edits) => removeMember(members, edits, kvTransferParams),
  beginTransfer: (request) => new OmniTransfer(request),
});

class OmniTransfer implements KvTransfer {
  readonly #request: DialectRequest;
  #params: Buffer | undefined;

  constructor(request: DialectRequest) {
    this.#request = request;
  }

  prefillEdits(edits: Edits): void {
    askForOneToken(this.#request, edits);
    removeMember(this.#request.members, edits, kvTransferParams);
  }

  prefillResponded(response: Buffer): "missing-transfer" | undefined {
    this.#params = takeKvTransferParams(response);
    return this.#params === undefined ? "missing-transfer" : undefined;
  }

  decodeEdits(edits: Edits): void {
    removeMember(this.#request.members, edits, kvTransferParams);
    if (this.#params !== undefined) edits.appendMember(kvTransferParams, this.#params);
  }
}
