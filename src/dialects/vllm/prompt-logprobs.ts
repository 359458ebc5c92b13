/**
 * What a response reports of the prompt's own tokens: the prefill engine has reported it, decode was not asked, and
 * it is put into decode's response. Completions with `echo` and `logprobs` have it in the text and in the choice's
 * `logprobs`, all others in `prompt_logprobs`.
 */

import { isNull, memberOf, type Patches } from "../../body/edit/patches.ts";
import type { Edits } from "../../body/edit/splice.ts";
import { arrayElements } from "../../body/json/array.ts";
import { KeyName } from "../../body/json/key-name.ts";
import type { Span } from "../../body/json/member-value.ts";
import type { TopLevel } from "../../body/json/top-level.ts";
import type { DialectRequest } from "../dialect.ts";
import { isSet, isTrue } from "../shared/member-facts.ts";
import { removeMember, replaceMember } from "../shared/members.ts";
import { askForIds, hidesIds } from "../shared/token-ids.ts";

const promptLogprobs = new KeyName("prompt_logprobs");
const stream = new KeyName("stream");
const echo = new KeyName("echo");
const logprobs = new KeyName("logprobs");
const choices = new KeyName("choices");
const indexKey = new KeyName("index");
const text = new KeyName("text");
const textOffset = new KeyName("text_offset");
const tokens = new KeyName("tokens");
/** The lists of a choice's `logprobs` that have one element a token, but for the offsets. */
const lists = [new KeyName("token_logprobs"), tokens, new KeyName("top_logprobs")];

const tokenIds = new KeyName("token_ids");
const no = Buffer.from("false");
const nothing = Buffer.from("null");

/**
 * A decode engine knows nothing of a prompt that it did not compute: vLLM responds with `[null]`, or 500. It rejects
 * streams with `prompt_logprobs`, also without a proxy.
 */
export function dropPromptOutputs(members: TopLevel, edits: Edits): void {
  if (wantsPromptLogprobs(members)) removeMember(members, edits, promptLogprobs);
  if (!wantsEcho(members)) return;
  replaceMember(members, edits, echo, no);
  // A streamed echo begins with the ids of the prompt, and has no others: decode gives the former with the latter.
  if (hidesIds(members)) askForIds(members, edits);
}

export function wantsPromptLogprobs(members: TopLevel): boolean {
  return isSet(members, promptLogprobs) && !isTrue(members, stream);
}

/** In a chat `logprobs` is true or false, and an echo has none. */
export function wantsEcho(members: TopLevel): boolean {
  return isTrue(members, echo) && isSet(members, logprobs) && !isTrue(members, logprobs);
}

/** Puts the prefill response's part into decode's response, or into its events. */
export class PromptMerge {
  readonly #prefill: Buffer;
  readonly #reported: readonly Span[];
  readonly #echoes: boolean;
  readonly #hidesIds: boolean;
  readonly #n: number;
  /** Choices whose stream has started. */
  readonly #started = new Set<number>();

  constructor({ members }: DialectRequest, prefill: Buffer) {
    this.#prefill = prefill;
    this.#echoes = wantsEcho(members);
    this.#hidesIds = this.#echoes && hidesIds(members);
    this.#reported = choicesOf(prefill, { start: 0, end: prefill.length }) ?? [];
    this.#n = this.#choicesEach(members);
  }

  /** Choices of one prompt: prefill was asked for one, and decode's stand prompt by prompt. */
  #choicesEach(members: TopLevel): number {
    const index = members.lastIndexOf(nKey);
    return Math.max(1, index < 0 ? 1 : Number(members.value(index).toString("latin1")) || 1);
  }

  change(patches: Patches): void {
    const { bytes } = patches;
    const whole = { start: 0, end: bytes.length };
    this.#replaceNull(patches, whole, { start: 0, end: this.#prefill.length });
    for (const choice of choicesOf(bytes, whole) ?? []) {
      const index = this.#indexOf(bytes, choice);
      const reported = this.#reported[Math.floor(index / this.#n)];
      if (reported === undefined) continue;
      this.#replaceNull(patches, choice, reported);
      if (this.#hidesIds) hideIds(patches, choice);
      if (this.#echoes) this.#echoOrShift(patches, choice, reported, index);
      this.#started.add(index);
    }
  }

  #indexOf(bytes: Buffer, choice: Span): number {
    const span = memberOf(bytes, choice, indexKey);
    return span === undefined ? 0 : Number(bytes.toString("latin1", span.start, span.end));
  }

  #replaceNull(patches: Patches, object: Span, prefillObject: Span): void {
    const own = memberOf(patches.bytes, object, promptLogprobs);
    const reported = memberOf(this.#prefill, prefillObject, promptLogprobs);
    if (own === undefined || reported === undefined || isNull(this.#prefill, reported)) return;
    patches.replace(own, this.#prefill.subarray(reported.start, reported.end));
  }

  /** An echo stands in the first event of its choice. The offsets of all others go on from it. */
  #echoOrShift(patches: Patches, choice: Span, reported: Span, index: number): void {
    if (!this.#started.has(index)) {
      this.#echo(patches, choice, reported);
      return;
    }
    const reportedLogprobs = memberOf(this.#prefill, reported, logprobs);
    const own = memberOf(patches.bytes, choice, logprobs);
    if (!reportedLogprobs || !own || isNull(patches.bytes, own)) return;
    const shift = shiftOf(this.#prefill, reportedLogprobs);
    for (const span of elementsOf(patches.bytes, own, textOffset) ?? [])
      patches.replace(span, Buffer.from(String(Number(latin1(patches.bytes, span)) + shift)));
  }

  /** All that prefill reported but for its one generated token, then what decode reported. */
  #echo(patches: Patches, choice: Span, reported: Span): void {
    const prefill = this.#prefill;
    const reportedLogprobs = memberOf(prefill, reported, logprobs);
    const own = memberOf(patches.bytes, choice, logprobs);
    const ownText = memberOf(patches.bytes, choice, text);
    const reportedText = memberOf(prefill, reported, text);
    if (!reportedLogprobs || !own || !ownText || !reportedText) return;
    const reportedTokens = elementsOf(prefill, reportedLogprobs, tokens);
    const last = reportedTokens?.at(-1);
    if (last === undefined) return;
    const prompt = withoutEnd(
      prefill.subarray(reportedText.start, reportedText.end),
      prefill,
      last,
    );
    // Behind the opening quote.
    const at = ownText.start + 1;
    patches.replace({ start: at, end: at }, prompt);
    this.#echoLists(patches, own, reportedLogprobs);
  }

  #echoLists(patches: Patches, own: Span, reported: Span): void {
    const prefill = this.#prefill;
    const { bytes } = patches;
    const isEmpty = isNull(bytes, own);
    const parts: string[] = [];
    for (const key of [textOffset, ...lists]) {
      const elements = elementsOf(prefill, reported, key) ?? [];
      const head = elements.slice(0, -1).map((span) => latin1(prefill, span));
      const generated = isEmpty ? [] : (elementsOf(bytes, own, key) ?? []);
      let tail = generated.map((span) => latin1(bytes, span));
      if (key === textOffset) {
        const shift = shiftOf(prefill, reported);
        tail = tail.map((offset) => String(Number(offset) + shift));
      }
      parts.push(`"${key.text}":[${[...head, ...tail].join(",")}]`);
    }
    patches.replace(own, Buffer.from(`{${parts.join(",")}}`, "latin1"));
  }
}

const nKey = new KeyName("n");

function hideIds(patches: Patches, choice: Span): void {
  const ids = memberOf(patches.bytes, choice, tokenIds);
  if (ids !== undefined) patches.replace(ids, nothing);
}

/** Where the generated token of a prefill's response begins: as many characters as the prompt has. */
function shiftOf(prefill: Buffer, reported: Span): number {
  const last = elementsOf(prefill, reported, textOffset)?.at(-1);
  return last === undefined ? 0 : Number(latin1(prefill, last));
}

function choicesOf(bytes: Buffer, object: Span): Span[] | undefined {
  const span = memberOf(bytes, object, choices);
  return span && arrayElements(bytes, span.start, span.end);
}

function elementsOf(bytes: Buffer, object: Span, key: KeyName): Span[] | undefined {
  const span = memberOf(bytes, object, key);
  return span && arrayElements(bytes, span.start, span.end);
}

function latin1(bytes: Buffer, { start, end }: Span): string {
  return bytes.toString("latin1", start, end);
}

/**
 * What stands between the quotes of a text, without the token at its end. A token that is half a character has added
 * nothing to the text yet.
 */
function withoutEnd(quoted: Buffer, bytes: Buffer, token: Span): Buffer {
  const inner = quoted.subarray(1, -1);
  const end = bytes.subarray(token.start + 1, token.end - 1);
  const at = inner.length - end.length;
  return at >= 0 && inner.subarray(at).equals(end) ? inner.subarray(0, at) : inner;
}
