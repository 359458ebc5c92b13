/** Turns a client's request into a request for a prefill: one token, in one piece. */

import { Edits } from "../../body/edit/splice.ts";
import { KeyName } from "../../body/json/key-name.ts";
import { scanTopLevel, TopLevel } from "../../body/json/top-level.ts";
import type { DialectRequest } from "../dialect.ts";
import type { Limits } from "../endpoints/endpoint.ts";
import { generatingAt } from "../endpoints/find-endpoint.ts";
import { memberValueOf } from "./member-facts.ts";
import { removeMember, replaceMember, setMember } from "./members.ts";

const stream = new KeyName("stream");
const streamOptions = new KeyName("stream_options");

const one = Buffer.from("1");
const yes = Buffer.from("true");
const no = Buffer.from("false");
const emptyObject = Buffer.from("{}");

/** Whether the KV cache is transferred after a prefill that its text ends, rather than its length. */
export type FirstToken = "may-end-the-text" | "must-not-end-the-text";

/**
 * The edits that vLLM and its kin need for a prefill.
 *
 * - `max_completion_tokens` goes before `max_tokens` in a chat: both must be 1, or the prefill engine generates the
 *   whole response.
 * - `min_tokens` above `max_tokens` is rejected. It becomes 1 instead of being removed, so that a first token that
 *   ends the text does not end the prefill as "stopped", after which some connectors transfer nothing.
 * - `n` above 1 would take a KV cache per choice, of which decode can fetch one. `best_of` below `n` is rejected, and
 *   above it is as costly as `n`.
 * - `kv_transfer_params` is in the response only if nothing is streamed, and `stream_options` is rejected then.
 */
export function askForOneToken(
  request: DialectRequest,
  edits: Edits,
  first: FirstToken = "may-end-the-text",
): void {
  const { members } = request;
  const { limits } = generatingAt(request.path);
  if (limits.within === undefined) limit(members, edits, limits, first);
  else {
    const object = memberValueOf(members, limits.within) ?? emptyObject;
    const limited = limitedObject(object, limits, first);
    // The engine rejects what is no object, as it does without a proxy.
    if (limited !== undefined) setMember(members, edits, limits.within, limited);
  }
  askForOnePiece(request, edits);
}

/** The same, streamed: an engine begins its response when it takes the request up, not when it has the token. */
export function askForOneTokenStreamed(request: DialectRequest, edits: Edits): void {
  askForOneToken(request, edits);
  setMember(request.members, edits, stream, yes);
}

/** Leaves the limits to an engine that ends a prefill by itself. */
export function askForOnePiece({ members, path }: DialectRequest, edits: Edits): void {
  const { offForPrefill, storage } = generatingAt(path);
  for (const key of offForPrefill) replaceMember(members, edits, key, no);
  removeMember(members, edits, streamOptions);
  // Stored by default. Nobody will ask a prefill engine for it.
  if (storage !== undefined && members.indexOf(storage.isStored) < 0)
    edits.appendMember(storage.isStored, no);
}

function limit(members: TopLevel, edits: Edits, limits: Limits, first: FirstToken): void {
  const { maxTokens, maxTokensAliases, minTokens, choiceCounts } = limits;
  setMember(members, edits, maxTokens, one);
  for (const key of maxTokensAliases) replaceMember(members, edits, key, one);
  for (const key of choiceCounts) replaceMember(members, edits, key, one);
  if (minTokens === undefined) return;
  if (first === "must-not-end-the-text") setMember(members, edits, minTokens, one);
  else replaceMember(members, edits, minTokens, one);
}

function limitedObject(object: Buffer, limits: Limits, first: FirstToken): Buffer | undefined {
  const bytes = object[0] === 0x6e ? emptyObject : object;
  if (scanTopLevel(bytes, 0, bytes.length, innerMembers) !== undefined) return undefined;
  innerEdits.start(innerMembers);
  limit(innerMembers, innerEdits, limits, first);
  const out = Buffer.allocUnsafe(innerEdits.byteLength);
  innerEdits.writeTo(out, 0);
  innerEdits.clear();
  innerMembers.clear();
  return out;
}

/** Shared: used within one call, and not those of the body, which is being edited meanwhile. */
const innerMembers = new TopLevel();
const innerEdits = new Edits();
