/** Omni-infer: the engine adds to the prefill what its connector needs; decode gets the prefill's answer verbatim. */

import type { Edits } from "../../body/splice.ts";
import type { Dialect, DialectRequest, Handover } from "../dialect.ts";
import { kvTransferParams, takeKvTransferParams } from "../shared/kv-transfer-params.ts";
import { removeMember } from "../shared/members.ts";
import { askForOneToken } from "../shared/one-token.ts";
import { vllmAnswers } from "../vllm/responses.ts";

export const omni: Dialect = {
  name: "omni",
  order: "prefill-first",
  releasesByDecode: true,
  merge: vllmAnswers,
  strip: (members, edits) => removeMember(members, edits, kvTransferParams),
  handOver: (request) => new OmniHandover(request),
};

class OmniHandover implements Handover {
  readonly #request: DialectRequest;
  #params: Buffer | undefined;

  constructor(request: DialectRequest) {
    this.#request = request;
  }

  prefillEdits(edits: Edits): void {
    askForOneToken(this.#request, edits);
    removeMember(this.#request.members, edits, kvTransferParams);
  }

  prefillAnswered(answer: Buffer): undefined {
    this.#params = takeKvTransferParams(answer);
  }

  decodeEdits(edits: Edits): void {
    removeMember(this.#request.members, edits, kvTransferParams);
    if (this.#params !== undefined) edits.appendMember(kvTransferParams, this.#params);
  }
}
