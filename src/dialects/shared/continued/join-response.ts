/**
 * Makes the response of a later attempt the rest of the first one's: its ids, usage and text become those of one
 * response.
 */

import { isNull, memberOf, memberRemoval, type Patches } from "../../../body/edit/patches.ts";
import { arrayElements } from "../../../body/json/array.ts";
import { KeyName } from "../../../body/json/key-name.ts";
import type { Span } from "../../../body/json/member-value.ts";
import type { GeneratedBefore } from "./generated.ts";
import {
  completionTokens,
  content,
  identity,
  integerAt,
  message,
  promptTokenIds,
  promptTokens,
  text,
  tokenIds,
  totalTokens,
} from "./response-members.ts";

/** What the first attempt has said of the whole response; filled as it is found out. */
export interface FirstResponse {
  /** Values of {@link identity}; empty = nothing of a response has come. */
  identity: readonly (Buffer | undefined)[];
  /** The client has the event that opens a chat's response. */
  isOpened: boolean;
  /** As they stand between the brackets of a JSON array. */
  promptIds: Buffer | undefined;
  /** The client has them. */
  showsPromptIds: boolean;
  promptTokens: number | undefined;
}

const logprobs = new KeyName("logprobs");
const textOffset = new KeyName("text_offset");
const empty = Buffer.alloc(0);
const comma = Buffer.from(",");
const open = Buffer.from("[");
const close = Buffer.from("]");

export class ResponseJoiner {
  readonly #before: GeneratedBefore;
  readonly #first: FirstResponse;
  readonly #isStream: boolean;

  /** Characters of the text before, as engines count them: code points. */
  readonly #textChars: number;

  constructor(before: GeneratedBefore, first: FirstResponse, isStream: boolean) {
    this.#before = before;
    this.#first = first;
    this.#isStream = isStream;
    this.#textChars = [...(JSON.parse(`"${before.text.toString("utf8")}"`) as string)].length;
  }

  /** @param reported the usage, if there is one */
  join(patches: Patches, elements: readonly Span[], reported: Span | undefined): void {
    const json = patches.bytes;
    const whole = { start: 0, end: json.length };
    identity.forEach((key, i) => {
      const own = memberOf(json, whole, key);
      const first = this.#first.identity[i];
      if (own !== undefined && first !== undefined) patches.replace(own, first);
    });
    if (reported !== undefined && json[reported.start] === 0x7b) this.#joinUsage(patches, reported);
    for (const choice of elements) {
      if (this.#isStream) {
        // Only the first event of a stream has it.
        const again = this.#first.showsPromptIds
          ? memberRemoval(json, choice, promptTokenIds)
          : undefined;
        if (again !== undefined) patches.replace(again, empty);
        this.#joinOffsets(patches, choice);
      } else this.#joinChoice(patches, choice);
    }
    if (!this.#isStream) this.#joinPromptIds(patches, whole);
  }

  #joinChoice(patches: Patches, choice: Span): void {
    const json = patches.bytes;
    const inner = memberOf(json, choice, message) ?? choice;
    const value = memberOf(json, inner, inner === choice ? text : content);
    if (value !== undefined && json[value.start] === 0x22) {
      patches.replace({ start: value.start + 1, end: value.start + 1 }, this.#before.text);
    } else if (value !== undefined) {
      patches.replace(value, Buffer.from(`"${this.#before.text.toString("latin1")}"`, "latin1"));
    }
    const ids = memberOf(json, choice, tokenIds);
    const { ids: earlier, knowsIds } = this.#before;
    if (ids !== undefined && !isNull(json, ids) && knowsIds && earlier.length > 0) {
      const hasOwn = (arrayElements(json, ids.start, ids.end) ?? []).length > 0;
      const at = { start: ids.start + 1, end: ids.start + 1 };
      patches.replace(at, hasOwn ? Buffer.concat([earlier, comma]) : earlier);
    }
    this.#joinPromptIds(patches, choice);
  }

  /** Where a completion's tokens begin in its text. */
  #joinOffsets(patches: Patches, choice: Span): void {
    const json = patches.bytes;
    const list = memberOf(json, choice, logprobs);
    const offsets = list && json[list.start] === 0x7b && memberOf(json, list, textOffset);
    if (!offsets) return;
    for (const offset of arrayElements(json, offsets.start, offsets.end) ?? []) {
      const own = integerAt(json, offset);
      if (own !== undefined) patches.replace(offset, Buffer.from(String(own + this.#textChars)));
    }
  }

  #joinPromptIds(patches: Patches, object: Span): void {
    const own = memberOf(patches.bytes, object, promptTokenIds);
    const first = this.#first.promptIds;
    if (own === undefined || isNull(patches.bytes, own) || first === undefined) return;
    patches.replace(own, Buffer.concat([open, first, close]));
  }

  #joinUsage(patches: Patches, reported: Span): void {
    const json = patches.bytes;
    const { tokens } = this.#before;
    const ownPrompt = memberOf(json, reported, promptTokens);
    const own = memberOf(json, reported, completionTokens);
    const total = memberOf(json, reported, totalTokens);
    const { promptIds, promptTokens: known } = this.#first;
    const counted = promptIds && arrayLength(promptIds);
    const prompt = known ?? counted ?? (integerAt(json, ownPrompt) ?? tokens) - tokens;
    const completion = tokens + (integerAt(json, own) ?? 0);
    const set = (span: Span | undefined, value: number): void => {
      if (span !== undefined) patches.replace(span, Buffer.from(String(value)));
    };
    set(ownPrompt, prompt);
    set(own, completion);
    set(total, prompt + completion);
  }
}

/** Of numbers between brackets, which hold no comma of their own. */
function arrayLength(ids: Buffer): number {
  let count = 1;
  for (let at = ids.indexOf(0x2c); at >= 0; at = ids.indexOf(0x2c, at + 1)) count += 1;
  return count;
}
