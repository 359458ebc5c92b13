/**
 * Makes the response of a later attempt the rest of the first one's: its ids, usage and text become those of one
 * response.
 */

import { isNull, memberOf, memberRemoval, type Patches } from "../../body/edit/patches.ts";
import { arrayElements } from "../../body/json/array.ts";
import type { Span } from "../../body/json/member-value.ts";
import type { PrefillResponse } from "../dialect.ts";
import {
  completionTokens,
  content,
  identity,
  integerAt,
  message,
  promptIdsOf,
  promptTokenIds,
  promptTokens,
  promptTokensOf,
  text,
  tokenIds,
  totalTokens,
} from "./response-members.ts";

/** What the attempts before have generated. */
export interface GeneratedBefore {
  /** As it stands between the quotes of a JSON string. */
  readonly text: Buffer;
  /** As it stands between the brackets of a JSON array. */
  readonly ids: Buffer;
  readonly tokens: number;
  /** The engine has reported the ids of all tokens. */
  readonly knowsIds: boolean;
  /** Values of {@link identity} in the first response. */
  readonly identity: readonly (Buffer | undefined)[];
  /** The client has the event that opens a chat's response. */
  readonly isOpened: boolean;
}

const empty = Buffer.alloc(0);
const comma = Buffer.from(",");
const open = Buffer.from("[");
const close = Buffer.from("]");

export class ResponseJoiner {
  readonly #before: GeneratedBefore;
  /** Of the first attempt, whose prefill has computed the client's own prompt. */
  readonly #prefill: PrefillResponse | undefined;
  readonly #isStream: boolean;

  constructor(before: GeneratedBefore, prefill: PrefillResponse | undefined, isStream: boolean) {
    this.#before = before;
    this.#prefill = prefill;
    this.#isStream = isStream;
  }

  /** @param reported the usage, if there is one */
  join(patches: Patches, elements: readonly Span[], reported: Span | undefined): void {
    const json = patches.bytes;
    const whole = { start: 0, end: json.length };
    identity.forEach((key, i) => {
      const own = memberOf(json, whole, key);
      const first = this.#before.identity[i];
      if (own !== undefined && first !== undefined) patches.replace(own, first);
    });
    if (reported !== undefined && json[reported.start] === 0x7b) this.#joinUsage(patches, reported);
    for (const choice of elements) {
      if (this.#isStream) {
        // Only the first event of a stream has it.
        const again = memberRemoval(json, choice, promptTokenIds);
        if (again !== undefined) patches.replace(again, empty);
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

  #joinPromptIds(patches: Patches, object: Span): void {
    const own = memberOf(patches.bytes, object, promptTokenIds);
    const first = this.#prefill?.whole && promptIdsOf(this.#prefill.whole);
    if (own === undefined || isNull(patches.bytes, own) || first === undefined) return;
    patches.replace(own, Buffer.concat([open, first, close]));
  }

  #joinUsage(patches: Patches, reported: Span): void {
    const json = patches.bytes;
    const { tokens } = this.#before;
    const ownPrompt = memberOf(json, reported, promptTokens);
    const own = memberOf(json, reported, completionTokens);
    const total = memberOf(json, reported, totalTokens);
    const first = this.#prefill?.whole && promptTokensOf(this.#prefill.whole);
    const prompt = first ?? (integerAt(json, ownPrompt) ?? tokens) - tokens;
    const completion = tokens + (integerAt(json, own) ?? 0);
    const set = (span: Span | undefined, value: number): void => {
      if (span !== undefined) patches.replace(span, Buffer.from(String(value)));
    };
    set(ownPrompt, prompt);
    set(own, completion);
    set(total, prompt + completion);
  }
}
