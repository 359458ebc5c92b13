/**
 * Answers of vLLM and its kin through prefill and decode. For decode the whole prompt was cached, and it has computed none of it: the
 * usage's cached tokens and the prompt's log-probabilities are the prefill engine's to tell.
 */

import { KeyName } from "../body/key-name.ts";
import type { Span } from "../body/member-value.ts";
import { isNull, memberOf, Patches } from "../body/patches.ts";
import { largeEventBytesMax, usualEventBytesMax } from "../limits.ts";
import type { AnswerFilter, AnswerMerge, DialectRequest } from "./dialect.ts";
import { kvTransferParams } from "./kv-transfer-params.ts";
import {
  dropPromptWishes,
  PromptMerge,
  wantsEcho,
  wantsPromptLogprobs,
} from "./prompt-logprobs.ts";

const usage = new KeyName("usage");
/** What holds the usage in events of `/v1/responses` and `/v1/messages`. */
const holders = [new KeyName("response"), new KeyName("message")];
const details = [new KeyName("prompt_tokens_details"), new KeyName("input_tokens_details")];
const cacheRead = new KeyName("cache_read_input_tokens");

const nothing = Buffer.from("null");
const zero = Buffer.from("0");

// A search that begins with a rare byte takes a quarter of the time of one that begins with a quote.
const detailsNeedle = Buffer.from('_tokens_details"');
const cacheReadNeedle = Buffer.from('_read_input_tokens"');
const paramsNeedle = Buffer.from('_transfer_params"');

export const vllmAnswers: AnswerMerge = {
  decodeEdits: dropPromptWishes,
  begin: (request, prefillAnswer) =>
    prefillAnswer === undefined ? undefined : new VllmAnswerFilter(request, prefillAnswer),
};

class VllmAnswerFilter implements AnswerFilter {
  readonly eventBytesMax: number;
  readonly #prefill: Buffer;
  /** Undefined = nothing was asked of the prompt's own tokens. */
  readonly #prompt: PromptMerge | undefined;

  constructor(request: DialectRequest, prefillAnswer: Buffer) {
    const { members } = request;
    const asks = wantsPromptLogprobs(members) || wantsEcho(members);
    this.#prefill = prefillAnswer;
    this.#prompt = asks ? new PromptMerge(request, prefillAnswer) : undefined;
    this.eventBytesMax = asks ? largeEventBytesMax : usualEventBytesMax;
  }

  concerns(bytes: Buffer, start: number, end: number): boolean {
    return (
      this.#prompt !== undefined ||
      hasValue(bytes, start, end, detailsNeedle) ||
      hasValue(bytes, start, end, paramsNeedle) ||
      hasValue(bytes, start, end, cacheReadNeedle)
    );
  }

  change(json: Buffer): Buffer | undefined {
    const patches = new Patches(json);
    const whole = { start: 0, end: json.length };
    this.#changeUsage(patches, whole);
    for (const holder of holders) {
      const held = memberOf(json, whole, holder);
      if (held !== undefined) this.#changeUsage(patches, held);
    }
    const params = memberOf(json, whole, kvTransferParams);
    // Where memory is, and whose, is nothing for clients.
    if (params !== undefined && !isNull(json, params)) patches.replace(params, nothing);
    this.#prompt?.change(patches);
    return patches.result();
  }

  #changeUsage(patches: Patches, holder: Span): void {
    const { bytes } = patches;
    const told = memberOf(bytes, holder, usage);
    if (told === undefined || bytes[told.start] !== 0x7b) return;
    for (const key of details) {
      const value = memberOf(bytes, told, key);
      // What decode says nothing of, a single engine would not say either: usage in the middle of a stream has no details.
      if (value === undefined || isNull(bytes, value)) continue;
      patches.replace(value, this.#prefillUsage(key) ?? nothing);
    }
    const read = memberOf(bytes, told, cacheRead);
    if (read !== undefined && !isNull(bytes, read)) {
      patches.replace(read, this.#prefillUsage(cacheRead) ?? zero);
    }
  }

  #prefillUsage(key: KeyName): Buffer | undefined {
    const prefill = this.#prefill;
    const told = memberOf(prefill, { start: 0, end: prefill.length }, usage);
    const value = told && memberOf(prefill, told, key);
    return value && prefill.subarray(value.start, value.end);
  }
}

/** Whether a member of that name, at any depth, has another value than null. */
function hasValue(bytes: Buffer, start: number, end: number, needle: Buffer): boolean {
  let at = bytes.indexOf(needle, start);
  while (at >= 0 && at < end) {
    let p = at + needle.length;
    while (p < end && bytes[p]! <= 0x20) p++;
    if (bytes[p] === 0x3a) {
      p++;
      while (p < end && bytes[p]! <= 0x20) p++;
      if (bytes[p] !== 0x6e) return true;
    }
    at = bytes.indexOf(needle, p);
  }
  return false;
}
