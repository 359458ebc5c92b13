/**
 * Answers of vLLM and its kin through prefill and decode: what was cached before, and the prompt's log-probabilities, are the prefill
 * engine's to tell.
 */

import { isNull, memberOf, Patches } from "../../body/patches.ts";
import { largeEventBytesMax, usualEventBytesMax } from "../../limits.ts";
import type { AnswerFilter, AnswerMerge, DialectRequest } from "../dialect.ts";
import { kvTransferParams } from "../shared/kv-transfer-params.ts";
import {
  dropPromptWishes,
  PromptMerge,
  wantsEcho,
  wantsPromptLogprobs,
} from "../shared/prompt-logprobs.ts";
import { hasValue, UsageMerge } from "../shared/usage-merge.ts";

const nothing = Buffer.from("null");
const paramsNeedle = Buffer.from('_transfer_params"');

export const vllmAnswers: AnswerMerge = {
  decodeEdits: dropPromptWishes,
  begin: (request, prefillAnswer) =>
    prefillAnswer === undefined ? undefined : new VllmAnswerFilter(request, prefillAnswer),
};

class VllmAnswerFilter implements AnswerFilter {
  readonly eventBytesMax: number;
  readonly #usage: UsageMerge;
  /** Undefined = nothing was asked of the prompt's own tokens. */
  readonly #prompt: PromptMerge | undefined;

  constructor(request: DialectRequest, prefillAnswer: Buffer) {
    const { members } = request;
    const asks = wantsPromptLogprobs(members) || wantsEcho(members);
    this.#usage = new UsageMerge(prefillAnswer);
    this.#prompt = asks ? new PromptMerge(request, prefillAnswer) : undefined;
    this.eventBytesMax = asks ? largeEventBytesMax : usualEventBytesMax;
  }

  concerns(bytes: Buffer, start: number, end: number): boolean {
    return (
      this.#prompt !== undefined ||
      this.#usage.concerns(bytes, start, end) ||
      hasValue(bytes, start, end, paramsNeedle)
    );
  }

  change(json: Buffer): Buffer | undefined {
    const patches = new Patches(json);
    this.#usage.change(patches);
    const params = memberOf(json, { start: 0, end: json.length }, kvTransferParams);
    // Where memory is, and whose, is nothing for clients.
    if (params !== undefined && !isNull(json, params)) patches.replace(params, nothing);
    this.#prompt?.change(patches);
    return patches.result();
  }
}
