/** Omni-infer: the engine adds to the prefill what its connector needs; decode gets the prefill's answer verbatim. */

import type { Edits } from "../body/splice.ts";
import type { TopLevel } from "../body/top-level.ts";
import type { Dialect, Handover } from "./dialect.ts";
import { kvTransferParams, takeKvTransferParams } from "./kv-transfer-params.ts";
import { removeMember } from "./members.ts";
import { askForOneToken } from "./one-token.ts";
import { vllmAnswers } from "./vllm-answers.ts";

export const omni: Dialect = {
  name: "omni",
  order: "prefill-first",
  releasesByDecode: true,
  merge: vllmAnswers,
  strip: (members, edits) => removeMember(members, edits, kvTransferParams),
  handOver: ({ members }) => new OmniHandover(members),
};

class OmniHandover implements Handover {
  readonly #members: TopLevel;
  #params: Buffer | undefined;

  constructor(members: TopLevel) {
    this.#members = members;
  }

  prefillEdits(edits: Edits): void {
    askForOneToken(this.#members, edits);
    removeMember(this.#members, edits, kvTransferParams);
  }

  prefillAnswered(answer: Buffer): undefined {
    this.#params = takeKvTransferParams(answer);
  }

  decodeEdits(edits: Edits): void {
    removeMember(this.#members, edits, kvTransferParams);
    if (this.#params !== undefined) edits.appendMember(kvTransferParams, this.#params);
  }
}
