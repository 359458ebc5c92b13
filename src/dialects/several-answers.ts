/** Finds requests for more than one answer, which most hand-overs cannot carry: what is handed over is fetched once. */

import { valueEnd } from "../body/array.ts";
import { KeyName } from "../body/key-name.ts";
import { spaceEnd } from "../body/tokens.ts";
import type { TopLevel } from "../body/top-level.ts";

const n = new KeyName("n");
const bestOf = new KeyName("best_of");
const prompt = new KeyName("prompt");

/**
 * Whether the request is for several choices, or has several prompts. vLLM makes a request of its own of each, with the same
 * parameters: the first to end frees the KV cache under the others (RFC vllm-project/vllm#39647).
 */
export function hasSeveralAnswers(members: TopLevel): boolean {
  return hasSeveralChoices(members) || hasSeveralPrompts(members);
}

/** Whether each prompt is to have several answers. */
export function hasSeveralChoices(members: TopLevel): boolean {
  return isAboveOne(members, n) || isAboveOne(members, bestOf);
}

/** Whatever is neither 1 nor null counts as more: an engine that reads it as 1 gives the same answer without a hand-over. */
function isAboveOne(members: TopLevel, key: KeyName): boolean {
  for (let i = members.indexOf(key); i >= 0; i = members.indexOf(key, i + 1)) {
    const bytes = members.valueEnd(i) - members.valueStart(i);
    const first = members.bytes[members.valueStart(i)];
    const isOne = first === 0x31 && bytes === 1;
    // Of all JSON values only `null` begins with an n.
    if (!isOne && first !== 0x6e) return true;
  }
  return false;
}

/** A list of numbers is one prompt, as token ids; of strings or lists each is one. */
function hasSeveralPrompts(members: TopLevel): boolean {
  const { bytes } = members;
  for (let i = members.indexOf(prompt); i >= 0; i = members.indexOf(prompt, i + 1)) {
    const end = members.valueEnd(i);
    if (bytes[members.valueStart(i)] !== 0x5b) continue;
    const first = spaceEnd(bytes, members.valueStart(i) + 1, end);
    if (bytes[first] !== 0x22 && bytes[first] !== 0x5b) continue;
    if (bytes[spaceEnd(bytes, valueEnd(bytes, first, end), end)] !== 0x5d) return true;
  }
  return false;
}
