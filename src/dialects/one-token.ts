/** Turns a request for an answer into a request for a prefill: one token, in one piece. */

import { KeyName } from "../body/key-name.ts";
import type { Edits } from "../body/splice.ts";
import type { TopLevel } from "../body/top-level.ts";
import { removeMember, replaceMember, setMember } from "./members.ts";

const maxTokens = new KeyName("max_tokens");
const maxCompletionTokens = new KeyName("max_completion_tokens");
const minTokens = new KeyName("min_tokens");
const n = new KeyName("n");
const bestOf = new KeyName("best_of");
const stream = new KeyName("stream");
const streamOptions = new KeyName("stream_options");

const one = Buffer.from("1");
const no = Buffer.from("false");

/**
 * The edits that vLLM and its kin need for a prefill, on completions and chat completions.
 *
 * - `max_completion_tokens` goes before `max_tokens` in a chat: both must be 1, or the prefill engine writes the whole
 *   answer.
 * - `min_tokens` above `max_tokens` is refused. It becomes 1 rather than go, so that a first token that ends the
 *   text does not end the prefill as "stopped", for which some connectors hand over nothing.
 * - `n` above 1 would take a KV cache per choice, of which decode can fetch one. `best_of` below `n` is refused, and
 *   above it is as costly as `n`.
 * - `kv_transfer_params` is answered only where nothing is streamed, and `stream_options` is refused there.
 */
export function askForOneToken(members: TopLevel, edits: Edits): void {
  setMember(members, edits, maxTokens, one);
  replaceMember(members, edits, maxCompletionTokens, one);
  replaceMember(members, edits, minTokens, one);
  replaceMember(members, edits, n, one);
  replaceMember(members, edits, bestOf, one);
  replaceMember(members, edits, stream, no);
  removeMember(members, edits, streamOptions);
}
