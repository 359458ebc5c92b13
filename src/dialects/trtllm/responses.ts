/**
 * Responses of TensorRT-LLM's generation servers. Those that get the context server's usage report it; for the
 * others, and with generation first, the cached tokens are put in here.
 */

import { isNull, memberOf, Patches } from "../../body/edit/patches.ts";
import { arrayElements } from "../../body/json/array.ts";
import { KeyName } from "../../body/json/key-name.ts";
import { usualEventBytesMax } from "../../limits.ts";
import type { ResponseMerge } from "../dialect.ts";
import { type InformedFilter, informedBy } from "../shared/late-prefill.ts";
import { disaggregatedParams } from "./context.ts";

const usage = new KeyName("usage");
const details = new KeyName("prompt_tokens_details");
const choices = new KeyName("choices");

const nothing = Buffer.from("null");
// A search that begins with a rare byte takes a quarter of the time of one that begins with a quote.
const detailsNeedle = Buffer.from('_tokens_details"');
const paramsNeedle = Buffer.from('isaggregated_params"');

export const trtllmResponses: ResponseMerge = {
  begin: (_request, prefill) =>
    prefill && informedBy(prefill, (response) => new GenerationResponse(response)),
};

class GenerationResponse implements InformedFilter {
  readonly eventBytesMax: number = usualEventBytesMax;
  readonly #context: Buffer;

  constructor(context: Buffer) {
    this.#context = context;
  }

  concerns(bytes: Buffer, start: number, end: number): boolean {
    return hasKey(bytes, start, end, detailsNeedle) || hasKey(bytes, start, end, paramsNeedle);
  }

  needsPrefill(json: Buffer): boolean {
    const reported = detailsOf(json);
    return reported !== undefined && !isNull(json, reported);
  }

  change(json: Buffer): Buffer | undefined {
    const patches = new Patches(json);
    const reported = detailsOf(json);
    // What generation does not report, a single server would not report either.
    if (reported !== undefined && !isNull(json, reported)) {
      const context = this.#context;
      const known = detailsOf(context);
      patches.replace(reported, known ? context.subarray(known.start, known.end) : nothing);
    }
    const list = memberOf(json, { start: 0, end: json.length }, choices);
    for (const choice of (list && arrayElements(json, list.start, list.end)) ?? []) {
      const params = memberOf(json, choice, disaggregatedParams);
      // Clients must not see where whose memory is.
      if (params !== undefined && !isNull(json, params)) patches.replace(params, nothing);
    }
    return patches.result();
  }
}

function detailsOf(json: Buffer) {
  const reported = memberOf(json, { start: 0, end: json.length }, usage);
  return reported && memberOf(json, reported, details);
}

function hasKey(bytes: Buffer, start: number, end: number, needle: Buffer): boolean {
  const at = bytes.indexOf(needle, start);
  return at >= 0 && at < end;
}
