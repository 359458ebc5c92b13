/** Omni-infer: the engine adds to the prefill what its connector needs; decode gets the prefill's answer verbatim. */

import { KeyName } from "../body/key-name.ts";
import { memberValue } from "../body/member-value.ts";
import type { Dialect } from "./dialect.ts";
import { removeMember } from "./members.ts";
import { askForOneToken } from "./one-token.ts";

const kvTransferParams = new KeyName("kv_transfer_params");

export const omni: Dialect = {
  name: "omni",
  order: "prefill-first",

  prefillEdits(members, edits) {
    askForOneToken(members, edits);
    removeMember(members, edits, kvTransferParams);
  },

  /** `null` is how an engine without a connector says that it hands over nothing. */
  takeHandoff(answer) {
    const span = memberValue(answer, kvTransferParams);
    if (span === undefined) return undefined;
    // Of all JSON values only `null` begins with an n.
    if (answer[span.start] === 0x6e) return undefined;
    return { kvTransferParams: answer.subarray(span.start, span.end) };
  },

  decodeEdits(members, edits, handoff) {
    removeMember(members, edits, kvTransferParams);
    if (handoff !== undefined) edits.appendMember(kvTransferParams, handoff.kvTransferParams);
  },
};
