/**
 * Answers of SGLang's `/generate` with `return_logprob`: the prompt's log-probabilities are prefill's, and stand before what decode
 * tells, in each event that has them. As in sglang's `mini_lb.py` and smg's `pd_router.rs`.
 */

import { arrayElements } from "../body/array.ts";
import { KeyName } from "../body/key-name.ts";
import type { Span } from "../body/member-value.ts";
import { memberOf, Patches } from "../body/patches.ts";
import { largeEventBytesMax } from "../limits.ts";
import type { AnswerFilter, AnswerMerge } from "./dialect.ts";
import { isSet } from "./member-facts.ts";

const returnLogprob = new KeyName("return_logprob");
const metaInfo = new KeyName("meta_info");
const index = new KeyName("index");
const inputLogprobs = new KeyName("input_token_logprobs");
const comma = Buffer.from(",");

export const sglangAnswers: AnswerMerge = {
  begin: ({ members }, prefillAnswer) =>
    prefillAnswer !== undefined && isSet(members, returnLogprob)
      ? new InputLogprobs(prefillAnswer)
      : undefined,
};

class InputLogprobs implements AnswerFilter {
  readonly eventBytesMax: number = largeEventBytesMax;
  readonly #prefill: Buffer;
  /** Of a batch, one answer each. */
  readonly #answers: readonly Span[];

  constructor(prefill: Buffer) {
    this.#prefill = prefill;
    this.#answers = answersOf(prefill);
  }

  concerns(bytes: Buffer, start: number, end: number): boolean {
    const at = bytes.indexOf(inputLogprobs.bytes, start);
    return at >= 0 && at < end;
  }

  change(json: Buffer): Buffer | undefined {
    const patches = new Patches(json);
    const own = answersOf(json);
    own.forEach((answer, position) => {
      // Events of a batch are one answer each, with its number.
      const number = memberOf(json, answer, index);
      const which =
        number === undefined ? position : Number(json.toString("latin1", number.start, number.end));
      const told = this.#answers[which];
      if (told !== undefined) this.#prepend(patches, answer, told);
    });
    return patches.result();
  }

  #prepend(patches: Patches, answer: Span, told: Span): void {
    const own = listOf(patches.bytes, answer);
    const first = listOf(this.#prefill, told);
    if (own === undefined || first === undefined) return;
    const elements = arrayElements(this.#prefill, first.start, first.end);
    const rest = arrayElements(patches.bytes, own.start, own.end);
    if (elements === undefined || elements.length === 0 || rest === undefined) return;
    const list = this.#prefill.subarray(elements[0]!.start, elements.at(-1)!.end);
    const at = { start: own.start + 1, end: own.start + 1 };
    patches.replace(at, rest.length === 0 ? list : Buffer.concat([list, comma]));
  }
}

function answersOf(json: Buffer): Span[] {
  return arrayElements(json, 0, json.length) ?? [{ start: 0, end: json.length }];
}

function listOf(bytes: Buffer, answer: Span): Span | undefined {
  const meta = memberOf(bytes, answer, metaInfo);
  return meta && memberOf(bytes, meta, inputLogprobs);
}
