/** The member by which the vLLM connectors are told which side of a hand-over they are; its other members are the dialect's. */

import type { Edits } from "../../body/edit/splice.ts";
import type { TopLevel } from "../../body/json/top-level.ts";
import type { DialectRequest } from "../dialect.ts";
import { kvTransferParams } from "../shared/kv-transfer-params.ts";
import { removeMember } from "../shared/members.ts";
import { askForOneToken } from "../shared/one-token.ts";

const holds = '{"do_remote_decode":true,"do_remote_prefill":false';
const fetches = '{"do_remote_decode":false,"do_remote_prefill":true';

/**
 * A request for one token whose KV cache is kept. One at least, too: these connectors hand over only what its length has ended, and
 * a first token may end the text.
 * @param more further members, with a comma before each
 */
export function askToHold(request: DialectRequest, edits: Edits, more: string): void {
  const { members } = request;
  askForOneToken(request, edits, "must-not-end-the-text");
  removeMember(members, edits, kvTransferParams);
  edits.appendMember(kvTransferParams, Buffer.from(`${holds}${more}}`));
}

/** @param more further members, with a comma before each; undefined = there is nothing to fetch */
export function askToFetch(members: TopLevel, edits: Edits, more: string | undefined): void {
  removeMember(members, edits, kvTransferParams);
  if (more !== undefined) edits.appendMember(kvTransferParams, Buffer.from(`${fetches}${more}}`));
}
