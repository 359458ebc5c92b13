/**
 * Finds requests for more than one output, which most KV transfers do not support: a KV cache can be fetched only
 * once.
 */

import { memberOf } from "../../body/edit/patches.ts";
import type { DialectRequest } from "../dialect.ts";
import { generatingAt } from "../endpoints/find-endpoint.ts";
import { memberValueOf } from "./member-facts.ts";
import { promptsOf } from "./prompt-count.ts";

/**
 * Whether the request is for several choices, or has several prompts. vLLM makes a request of its own of each, with
 * the same parameters: the first to end frees the KV cache under the others (RFC vllm-project/vllm#39647).
 */
export function hasSeveralOutputs(request: DialectRequest): boolean {
  return hasSeveralChoices(request) || promptsOf(request, 1) > 1;
}

/** Whether the request is for several choices of each prompt. */
export function hasSeveralChoices({ members, path }: DialectRequest): boolean {
  const { within, choiceCounts } = generatingAt(path).limits;
  if (within !== undefined) {
    const object = memberValueOf(members, within);
    if (object === undefined) return false;
    return choiceCounts.some((key) => {
      const span = memberOf(object, { start: 0, end: object.length }, key);
      return span !== undefined && isAboveOne(object, span.start, span.end);
    });
  }
  return choiceCounts.some((key) => {
    for (let i = members.indexOf(key); i >= 0; i = members.indexOf(key, i + 1)) {
      if (isAboveOne(members.bytes, members.valueStart(i), members.valueEnd(i))) return true;
    }
    return false;
  });
}

/**
 * Whatever is neither 1 nor null counts as more: an engine that reads it as 1 gives the same response without a KV
 * transfer.
 */
function isAboveOne(bytes: Buffer, start: number, end: number): boolean {
  const first = bytes[start];
  // Of all JSON values only `null` begins with an n.
  return !(first === 0x31 && end - start === 1) && first !== 0x6e;
}
