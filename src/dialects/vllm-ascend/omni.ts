/** Omni-infer: the engine adds to the prefill what its connector needs; decode gets the prefill's answer verbatim. */

import type { Edits } from "../../body/edit/splice.ts";
import type { Dialect, DialectRequest, KvTransfer } from "../dialect.ts";
import { kvTransferParams, takeKvTransferParams } from "../shared/kv-transfer-params.ts";
import { removeMember } from "../shared/members.ts";
import { askForOneToken } from "../shared/one-token.ts";
import { vllmResponses } from "../vllm/responses.ts";

export const omni: Dialect = {
  name: "omni",
  order: "prefill-first",
  releasesByDecode: true,
  merge: vllmResponses,
  strip: (members, edits) => removeMember(members, edits, kvTransferParams),
  beginTransfer: (request) => new OmniTransfer(request),
};

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

  prefillResponded(response: Buffer): undefined {
    this.#params = takeKvTransferParams(response);
  }

  decodeEdits(edits: Edits): void {
    removeMember(this.#request.members, edits, kvTransferParams);
    if (this.#params !== undefined) edits.appendMember(kvTransferParams, this.#params);
  }
}
