/**
 * Responses of vLLM and its kin through prefill and decode: only the prefill engine knows what was cached before, and
 * the prompt's log-probabilities.
 */

import { isNull, memberOf, Patches } from "../../body/edit/patches.ts";
import { largeEventBytesMax, usualEventBytesMax } from "../../limits.ts";
import type { DialectRequest, ResponseFilter, ResponseMerge } from "../dialect.ts";
import { kvTransferParams } from "../shared/kv-transfer-params.ts";
import { informedBy } from "../shared/late-prefill.ts";
import { hasValue, UsageMerge } from "../shared/usage-merge.ts";
import {
  dropPromptOutputs,
  PromptMerge,
  wantsEcho,
  wantsPromptLogprobs,
} from "./prompt-logprobs.ts";

const nothing = Buffer.from("null");
const paramsNeedle = Buffer.from('_transfer_params"');

export const vllmResponses: ResponseMerge = {
  decodeEdits: dropPromptOutputs,
  begin: (request, prefill) =>
    prefill && informedBy(prefill, (response) => new VllmResponseFilter(request, response)),
};

class VllmResponseFilter implements ResponseFilter {
  readonly eventBytesMax: number;
  readonly #usage: UsageMerge;
  /** Undefined = nothing was asked of the prompt's own tokens. */
  readonly #prompt: PromptMerge | undefined;

  constructor(request: DialectRequest, prefillResponse: Buffer) {
    const { members } = request;
    const asks = wantsPromptLogprobs(members) || wantsEcho(members);
    this.#usage = new UsageMerge(prefillResponse);
    this.#prompt = asks ? new PromptMerge(request, prefillResponse) : undefined;
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
    // Clients must not see where whose memory is.
    if (params !== undefined && !isNull(json, params)) patches.replace(params, nothing);
    this.#prompt?.change(patches);
    return patches.result();
  }
}
