/**
 * The rest of a response that its engine preempted (vLLM-Ascend: `stop_reason: "recomputed"`), or died over: the
 * request once more, with what was generated appended to its prompt.
 */

import { Edits } from "../../../body/edit/splice.ts";
import { KeyName } from "../../../body/json/key-name.ts";
import type { TopLevel } from "../../../body/json/top-level.ts";
import type { DialectRequest } from "../../dialect.ts";
import { isSet, memberValueOf } from "../member-facts.ts";
import { replaceMember, setMember } from "../members.ts";
import { integerOf } from "./continuable.ts";

const prompt = new KeyName("prompt");
const messages = new KeyName("messages");
const continueFinal = new KeyName("continue_final_message");
const addGeneration = new KeyName("add_generation_prompt");
const maxTokens = new KeyName("max_tokens");
const maxCompletionTokens = new KeyName("max_completion_tokens");
const minTokens = new KeyName("min_tokens");
const stop = new KeyName("stop");

/** vLLM's bound of a completion that names none. */
const defaultCompletionTokens = 16;

/** What the rest comes behind. */
export interface Generated {
  /** As it stands between the quotes of a JSON string. */
  readonly text: Buffer;
  /** As it stands between the brackets of a JSON array; undefined = the engine has not reported them. */
  readonly tokenIds: Buffer | undefined;
  /** The prompt's, in the same form. */
  readonly promptIds: Buffer | undefined;
  readonly tokens: number;
}

/** The body of the request for the rest; undefined = there is none. */
export function restOf(request: DialectRequest, generated: Generated): Buffer | undefined {
  const { members } = request;
  const edits = new Edits();
  edits.start(members);
  const isChat = members.indexOf(messages) >= 0;
  const isExtended = isChat
    ? extendMessages(members, edits, generated)
    : extendPrompt(members, edits, generated);
  if (!isExtended || !limitRest(members, edits, generated.tokens, isChat)) return undefined;
  const out = Buffer.allocUnsafe(edits.byteLength);
  edits.writeTo(out, 0);
  return out;
}

function extendPrompt(members: TopLevel, edits: Edits, generated: Generated): boolean {
  const { text, tokenIds, promptIds, tokens } = generated;
  if (tokens === 0) return true;
  const value = memberValueOf(members, prompt)!;
  const isText = value[0] === 0x22;
  const before = isText ? promptIds : value.subarray(1, value.lastIndexOf(0x5d));
  // Ids are exact, while a text may be cut into other tokens where the two parts meet. But an engine that looks out for
  // a stop string holds text back whose ids it has reported.
  if (before !== undefined && tokenIds !== undefined && !isSet(members, stop)) {
    const ids = Buffer.concat([open, before, comma, tokenIds, close]);
    return replaceMember(members, edits, prompt, ids);
  }
  if (!isText) return false;
  return replaceMember(members, edits, prompt, Buffer.concat([value.subarray(0, -1), text, quote]));
}

function extendMessages(members: TopLevel, edits: Edits, { text, tokens }: Generated): boolean {
  if (tokens === 0 || text.length === 0) return tokens === 0;
  const value = memberValueOf(members, messages)!;
  const end = value.lastIndexOf(0x5d);
  if (value[0] !== 0x5b || end < 0) return false;
  const all = Buffer.concat([value.subarray(0, end), assistant, text, assistantEnd]);
  replaceMember(members, edits, messages, all);
  setMember(members, edits, addGeneration, no);
  setMember(members, edits, continueFinal, yes);
  return true;
}

/** False when there would be nothing left to generate. */
function limitRest(members: TopLevel, edits: Edits, tokens: number, isChat: boolean): boolean {
  let isBounded = false;
  for (const key of [maxTokens, maxCompletionTokens]) {
    const most = integerOf(members, key);
    if (most === undefined) continue;
    isBounded = true;
    if (most <= tokens) return false;
    replaceMember(members, edits, key, Buffer.from(String(most - tokens)));
  }
  const isImplied = !isBounded && !isChat && members.indexOf(maxTokens) < 0;
  // An engine that went on beyond vLLM's bound has another one of its own.
  if (isImplied && tokens < defaultCompletionTokens)
    edits.appendMember(maxTokens, Buffer.from(String(defaultCompletionTokens - tokens)));
  const least = integerOf(members, minTokens);
  if (least !== undefined)
    replaceMember(members, edits, minTokens, Buffer.from(String(Math.max(0, least - tokens))));
  return true;
}

const quote = Buffer.from('"');
const open = Buffer.from("[");
const close = Buffer.from("]");
const comma = Buffer.from(",");
const assistant = Buffer.from(',{"role":"assistant","content":"');
const assistantEnd = Buffer.from('"}]');
const yes = Buffer.from("true");
const no = Buffer.from("false");
