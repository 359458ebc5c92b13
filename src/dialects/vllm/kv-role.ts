/**
 * The part of `kv_transfer_params` that says which side of a KV transfer a vLLM connector is; the dialect adds the
 * rest.
 */

import type { Edits } from "../../body/edit/splice.ts";
import type { TopLevel } from "../../body/json/top-level.ts";
import type { DialectRequest } from "../dialect.ts";
import { kvTransferParams } from "../shared/kv-transfer-params.ts";
import { removeMember } from "../shared/members.ts";
import { askForOneToken } from "../shared/one-token.ts";

const holdsRole = '{"do_remote_decode":true,"do_remote_prefill":false';
const fetchesRole = '{"do_remote_decode":false,"do_remote_prefill":true';

/**
 * A request for one token whose KV cache the engine holds. `min_tokens` is 1, too: these connectors transfer nothing
 * after a text that ends by itself, and a first token may end it.
 * @param more further members, with a comma before each
 */
export function askToHold(request: DialectRequest, edits: Edits, more: string): void {
  const { members } = request;
  askForOneToken(request, edits, "must-not-end-the-text");
  removeMember(members, edits, kvTransferParams);
  edits.appendMember(kvTransferParams, Buffer.from(`${holdsRole}${more}}`));
}

/** @param more further members, with a comma before each; undefined = there is nothing to fetch */
export function askToFetch(members: TopLevel, edits: Edits, more: string | undefined): void {
  removeMember(members, edits, kvTransferParams);
  if (more !== undefined)
    edits.appendMember(kvTransferParams, Buffer.from(`${fetchesRole}${more}}`));
}
