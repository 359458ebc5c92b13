/** The log-probabilities of a prompt, which the prefill engine has told, put into decode's answer. */

import { arrayElements } from "../body/array.ts";
import { KeyName } from "../body/key-name.ts";
import type { Span } from "../body/member-value.ts";
import { isNull, memberOf, type Patches } from "../body/patches.ts";
import type { TopLevel } from "../body/top-level.ts";

const promptLogprobs = new KeyName("prompt_logprobs");
const stream = new KeyName("stream");
const choices = new KeyName("choices");

/** Asked for by name. As in engines, a stream has none. */
export function wantsPromptLogprobs(members: TopLevel): boolean {
  return has(members, promptLogprobs) && members.bytes[startOf(members, stream)] !== 0x74;
}

function has(members: TopLevel, key: KeyName): boolean {
  const at = startOf(members, key);
  return at >= 0 && members.bytes[at] !== 0x6e;
}

function startOf(members: TopLevel, key: KeyName): number {
  const index = members.lastIndexOf(key);
  return index < 0 ? -1 : members.valueStart(index);
}

/** A chat has them at the top, completions in each choice. */
export function mergePromptLogprobs(patches: Patches, prefill: Buffer, _: TopLevel): void {
  const { bytes } = patches;
  const whole = { start: 0, end: bytes.length };
  const prefillWhole = { start: 0, end: prefill.length };
  replaceNull(patches, whole, prefill, prefillWhole);
  const own = choicesOf(bytes, whole);
  const told = choicesOf(prefill, prefillWhole);
  if (own === undefined || told === undefined || told.length === 0) return;
  // Prefill was asked for one choice of each prompt; decode's stand prompt by prompt.
  const each = own.length / told.length;
  own.forEach((choice, index) => {
    replaceNull(patches, choice, prefill, told[Math.floor(index / each)]!);
  });
}

function choicesOf(bytes: Buffer, object: Span): Span[] | undefined {
  const span = memberOf(bytes, object, choices);
  return span && arrayElements(bytes, span.start, span.end);
}

function replaceNull(patches: Patches, object: Span, prefill: Buffer, prefillObject: Span): void {
  const own = memberOf(patches.bytes, object, promptLogprobs);
  const told = memberOf(prefill, prefillObject, promptLogprobs);
  if (own === undefined || told === undefined || isNull(prefill, told)) return;
  patches.replace(own, prefill.subarray(told.start, told.end));
}
