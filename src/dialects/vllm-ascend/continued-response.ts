/** One answer to the client, made of the answers of several rounds: ids, usage and text are those of a single engine. */

import { isNull, memberOf, memberRemoval, Patches } from "../../body/edit/patches.ts";
import { arrayElements } from "../../body/json/array.ts";
import { KeyName } from "../../body/json/key-name.ts";
import type { Span } from "../../body/json/member-value.ts";
import { continuedBytesMax, usualEventBytesMax } from "../../limits.ts";
import type { DialectRequest, ResponseFate, ResponseFilter, ResponseMerge } from "../dialect.ts";
import { isTrue } from "../shared/member-facts.ts";
import { vllmResponses } from "../vllm/responses.ts";
import { isContinuable, restOf } from "./continuation.ts";

const names = (...all: string[]): KeyName[] => all.map((name) => new KeyName(name));
const [stream, choices, index, delta, message, text, content] = names(
  "stream",
  "choices",
  "index",
  "delta",
  "message",
  "text",
  "content",
) as [KeyName, KeyName, KeyName, KeyName, KeyName, KeyName, KeyName];
const [role, stopReason, tokenIds, promptTokenIds, usage] = names(
  "role",
  "stop_reason",
  "token_ids",
  "prompt_token_ids",
  "usage",
) as [KeyName, KeyName, KeyName, KeyName, KeyName];
const [promptTokens, completionTokens, totalTokens] = names(
  "prompt_tokens",
  "completion_tokens",
  "total_tokens",
) as [KeyName, KeyName, KeyName];
/** Of the whole answer: one and the same in all events. */
const identity = names("id", "created");
/** Text of another kind, which no prompt can be continued with. */
const otherTexts = names("reasoning_content", "reasoning", "tool_calls", "function_call");

const recomputed = Buffer.from('"recomputed"');
const empty = Buffer.alloc(0);
const comma = Buffer.from(",");

/** vLLM's answers, and the rest of those that a decode engine gives up. */
export const continuedResponses: ResponseMerge = {
  decodeEdits: (members, edits) => vllmResponses.decodeEdits?.(members, edits),
  begin(request, prefillResponse, unfinished) {
    if (unfinished instanceof ContinuedResponse) return unfinished.next();
    const inner = vllmResponses.begin(request, prefillResponse, undefined);
    const first = {
      text: empty,
      ids: empty,
      tokens: 0,
      knowsIds: true,
      identity: [],
      isOpened: false,
    };
    return new ContinuedResponse({ request, inner, prefillResponse }, first);
  },
};

/** What stays the same over all rounds. */
interface Asked {
  readonly request: DialectRequest;
  /** Of the first round, whose prefill knows what was cached. */
  readonly inner: ResponseFilter | undefined;
  readonly prefillResponse: Buffer | undefined;
}

/** What the rounds before have come to. */
interface Before {
  readonly text: Buffer;
  readonly ids: Buffer;
  readonly tokens: number;
  /** The engine has told the ids of all tokens. */
  readonly knowsIds: boolean;
  readonly identity: readonly (Buffer | undefined)[];
  /** The client has the event that begins a chat's answer. */
  readonly isOpened: boolean;
}

class ContinuedResponse implements ResponseFilter {
  readonly eventBytesMax: number;
  readonly #asked: Asked;
  readonly #before: Before;
  readonly #isStream: boolean;
  readonly #isFirst: boolean;
  readonly #text: Buffer[] = [];
  #textBytes = 0;
  readonly #ids: Buffer[] = [];
  #tokens = 0;
  #knowsIds = true;
  #identity: readonly (Buffer | undefined)[];
  #isOpened: boolean;
  /** Something was generated that cannot be continued. */
  #isStuck = false;

  constructor(asked: Asked, before: Before) {
    this.#asked = asked;
    this.#before = before;
    this.#identity = before.identity;
    this.#isOpened = before.isOpened;
    this.#isFirst = before.identity.length === 0;
    this.#isStream = isTrue(asked.request.members, stream);
    this.eventBytesMax = asked.inner?.eventBytesMax ?? usualEventBytesMax;
  }

  /** For the answer of the next round. */
  next(): ContinuedResponse {
    return new ContinuedResponse(this.#asked, {
      text: this.#allText(),
      ids: this.#allIds(),
      tokens: this.#before.tokens + this.#tokens,
      knowsIds: this.#before.knowsIds && this.#knowsIds,
      identity: this.#identity,
      isOpened: this.#isOpened,
    });
  }

  /** All of the text has to be kept. */
  concerns(): boolean {
    return true;
  }

  change(json: Buffer): Buffer | ResponseFate {
    const whole = { start: 0, end: json.length };
    const list = memberOf(json, whole, choices);
    const elements = list && arrayElements(json, list.start, list.end);
    // An error's event, the end of the stream, and endpoints whose answers cannot be continued.
    if (elements === undefined) return this.#asked.inner?.change(json);
    if (this.#identity.length === 0) this.#identity = identity.map((key) => copyOf(json, key));
    const patches = new Patches(json);
    const reported = memberOf(json, whole, usage);
    const givesUp = elements.some((choice) => isRecomputed(json, choice));
    for (const choice of elements) {
      const isOpening = this.#take(json, choice, reported);
      if (isOpening && this.#before.isOpened) return "dropped";
      this.#isOpened ||= isOpening;
    }
    if (givesUp) {
      // The event itself is nobody's, so nothing may have come with it.
      if (elements.length > 1 || (this.#isStream && this.#lastBytes > 0)) this.#isStuck = true;
      return "unfinished";
    }
    if (!this.#isFirst) this.#join(patches, whole, elements, reported);
    const joined = patches.result() ?? json;
    const changed = this.#asked.inner?.change(joined) ?? joined;
    return changed === json ? undefined : changed;
  }

  rest(): Buffer | undefined {
    const { request, prefillResponse } = this.#asked;
    if (this.#isStuck || !isContinuable(request)) return undefined;
    const { tokens, knowsIds } = this.#before;
    return restOf(request, {
      text: this.#allText(),
      tokenIds: knowsIds && this.#knowsIds ? this.#allIds() : undefined,
      promptIds: prefillResponse && promptIdsOf(prefillResponse),
      tokens: tokens + this.#tokens,
    });
  }

  /** Of the text that came last. */
  #lastBytes = 0;

  /** Notes what a choice has generated; true for the event that only begins a chat's answer. */
  #take(json: Buffer, choice: Span, reported: Span | undefined): boolean {
    const inner = memberOf(json, choice, delta) ?? memberOf(json, choice, message) ?? choice;
    const value = memberOf(json, inner, inner === choice ? text : content);
    const isText = value !== undefined && json[value.start] === 0x22;
    const isOpening =
      this.#isStream && isSet(json, inner, role) && (!isText || value.end - value.start === 2);
    const number = memberOf(json, choice, index);
    if (number !== undefined && json[number.start] !== 0x30) this.#isStuck = true;
    if (otherTexts.some((key) => isFilled(json, inner, key))) this.#isStuck = true;
    // A copy, since the event is a part of a larger buffer that would stay for its sake.
    const part = isText ? Buffer.from(json.subarray(value.start + 1, value.end - 1)) : empty;
    this.#lastBytes = part.length;
    this.#textBytes += part.length;
    if (this.#textBytes > continuedBytesMax) this.#isStuck = true;
    else if (part.length > 0) this.#text.push(part);
    this.#count(json, choice, reported, isOpening || isRecomputed(json, choice));
    return isOpening;
  }

  /** Without ids or usage an event is one token. */
  #count(json: Buffer, choice: Span, reported: Span | undefined, isBare: boolean): void {
    const span = memberOf(json, choice, tokenIds);
    const ids = span && arrayElements(json, span.start, span.end);
    if (ids !== undefined && ids.length > 0) {
      this.#ids.push(Buffer.from(json.subarray(ids[0]!.start, ids.at(-1)!.end)));
    } else if (ids === undefined && !isBare) this.#knowsIds = false;
    const counted = reported && integerAt(json, memberOf(json, reported, completionTokens));
    if (counted !== undefined) this.#tokens = counted;
    else this.#tokens += ids?.length ?? (isBare ? 0 : 1);
    if (!this.#isStream && ids === undefined && this.#tokens > 0) this.#knowsIds = false;
  }

  /** Makes the answer of a later round a part of the first one's. */
  #join(
    patches: Patches,
    whole: Span,
    elements: readonly Span[],
    reported: Span | undefined,
  ): void {
    const json = patches.bytes;
    identity.forEach((key, i) => {
      const own = memberOf(json, whole, key);
      const first = this.#identity[i];
      if (own !== undefined && first !== undefined) patches.replace(own, first);
    });
    if (reported !== undefined && json[reported.start] === 0x7b) this.#joinUsage(patches, reported);
    for (const choice of elements) {
      if (this.#isStream) {
        // It stands in the first event of a stream alone.
        const again = memberRemoval(json, choice, promptTokenIds);
        if (again !== undefined) patches.replace(again, empty);
      } else this.#joinWhole(patches, choice);
    }
    if (!this.#isStream) this.#joinPromptIds(patches, whole);
  }

  #joinWhole(patches: Patches, choice: Span): void {
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
    const { prefillResponse } = this.#asked;
    const first = prefillResponse && promptIdsOf(prefillResponse);
    if (own === undefined || isNull(patches.bytes, own) || first === undefined) return;
    patches.replace(own, Buffer.concat([Buffer.from("["), first, Buffer.from("]")]));
  }

  #joinUsage(patches: Patches, reported: Span): void {
    const json = patches.bytes;
    const { tokens } = this.#before;
    const ownPrompt = memberOf(json, reported, promptTokens);
    const own = memberOf(json, reported, completionTokens);
    const total = memberOf(json, reported, totalTokens);
    const { prefillResponse } = this.#asked;
    const first = prefillResponse && promptTokensOf(prefillResponse);
    const prompt = first ?? (integerAt(json, ownPrompt) ?? tokens) - tokens;
    const completion = tokens + (integerAt(json, own) ?? 0);
    const set = (span: Span | undefined, value: number): void => {
      if (span !== undefined) patches.replace(span, Buffer.from(String(value)));
    };
    set(ownPrompt, prompt);
    set(own, completion);
    set(total, prompt + completion);
  }

  #allText(): Buffer {
    return Buffer.concat([this.#before.text, ...this.#text]);
  }

  #allIds(): Buffer {
    const parts: Buffer[] = this.#before.ids.length > 0 ? [this.#before.ids] : [];
    for (const part of this.#ids) parts.push(...(parts.length > 0 ? [comma, part] : [part]));
    return Buffer.concat(parts);
  }
}

function isRecomputed(json: Buffer, choice: Span): boolean {
  const reason = memberOf(json, choice, stopReason);
  return reason !== undefined && json.subarray(reason.start, reason.end).equals(recomputed);
}

function isSet(json: Buffer, object: Span, key: KeyName): boolean {
  const value = memberOf(json, object, key);
  return value !== undefined && !isNull(json, value);
}

/** Neither null nor an empty string, list or object. */
function isFilled(json: Buffer, object: Span, key: KeyName): boolean {
  const value = memberOf(json, object, key);
  return value !== undefined && !isNull(json, value) && value.end - value.start > 2;
}

function copyOf(json: Buffer, key: KeyName): Buffer | undefined {
  const value = memberOf(json, { start: 0, end: json.length }, key);
  return value && Buffer.from(json.subarray(value.start, value.end));
}

/** Counts of tokens are small. */
function integerAt(json: Buffer, span: Span | undefined): number | undefined {
  const digits = span === undefined ? "" : json.toString("latin1", span.start, span.end);
  return /^\d{1,15}$/.test(digits) ? Number(digits) : undefined;
}

function promptTokensOf(prefill: Buffer): number | undefined {
  const reported = memberOf(prefill, { start: 0, end: prefill.length }, usage);
  return reported && integerAt(prefill, memberOf(prefill, reported, promptTokens));
}

/** What stands between the brackets of the list; a chat has it at the top, a completion in its choice. */
function promptIdsOf(prefill: Buffer): Buffer | undefined {
  const whole = { start: 0, end: prefill.length };
  const list = memberOf(prefill, whole, choices);
  const choice = list && arrayElements(prefill, list.start, list.end)?.[0];
  const span =
    memberOf(prefill, whole, promptTokenIds) ??
    (choice && memberOf(prefill, choice, promptTokenIds));
  if (span === undefined || prefill[span.start] !== 0x5b) return undefined;
  return prefill.subarray(span.start + 1, span.end - 1);
}
