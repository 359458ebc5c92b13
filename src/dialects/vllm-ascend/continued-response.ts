/** One response to the client, made of the responses of several attempts, of which all but the last were preempted. */

import { memberOf, Patches } from "../../body/edit/patches.ts";
import { arrayElements } from "../../body/json/array.ts";
import { KeyName } from "../../body/json/key-name.ts";
import type { Span } from "../../body/json/member-value.ts";
import { continuedBytesMax, usualEventBytesMax } from "../../limits.ts";
import type {
  DialectRequest,
  PrefillResponse,
  ResponseFate,
  ResponseFilter,
  ResponseMerge,
} from "../dialect.ts";
import { isTrue } from "../shared/member-facts.ts";
import { vllmResponses } from "../vllm/responses.ts";
import { isContinuable, restOf } from "./continuation.ts";
import { type GeneratedBefore, ResponseJoiner } from "./join-response.ts";
import {
  choices,
  completionTokens,
  content,
  copyOf,
  delta,
  identity,
  integerAt,
  isFilled,
  isSet,
  message,
  promptIdsOf,
  text,
  tokenIds,
  usage,
} from "./response-members.ts";

const stream = new KeyName("stream");
const index = new KeyName("index");
const role = new KeyName("role");
const stopReason = new KeyName("stop_reason");
/** Text of another kind, with which no prompt can be continued. */
const otherTexts = ["reasoning_content", "reasoning", "tool_calls", "function_call"].map(
  (name) => new KeyName(name),
);

const recomputed = Buffer.from('"recomputed"');
const empty = Buffer.alloc(0);
const comma = Buffer.from(",");

/** vLLM's responses, and the rest of those that a decode engine preempts. */
export const continuedResponses: ResponseMerge = {
  decodeEdits: (members, edits) => vllmResponses.decodeEdits?.(members, edits),
  begin(request, prefill, unfinished) {
    if (unfinished instanceof ContinuedResponse) return unfinished.next();
    const inner = vllmResponses.begin(request, prefill, undefined);
    const first = {
      text: empty,
      ids: empty,
      tokens: 0,
      knowsIds: true,
      identity: [],
      isOpened: false,
    };
    return new ContinuedResponse({ request, inner, prefill }, first);
  },
};

/** What stays the same over all attempts. */
interface Original {
  readonly request: DialectRequest;
  /** Of the first attempt, whose prefill knows what was cached. */
  readonly inner: ResponseFilter | undefined;
  readonly prefill: PrefillResponse | undefined;
}

class ContinuedResponse implements ResponseFilter {
  readonly eventBytesMax: number;
  readonly #original: Original;
  readonly #before: GeneratedBefore;
  readonly #isStream: boolean;
  /** Undefined = this is the first attempt. */
  readonly #joiner: ResponseJoiner | undefined;
  readonly #text: Buffer[] = [];
  #textBytes = 0;
  readonly #ids: Buffer[] = [];
  #tokens = 0;
  #knowsIds = true;
  #identity: readonly (Buffer | undefined)[];
  #isOpened: boolean;
  /** Something was generated that cannot be continued. */
  #isStuck = false;

  constructor(original: Original, before: GeneratedBefore) {
    this.#original = original;
    this.#before = before;
    this.#identity = before.identity;
    this.#isOpened = before.isOpened;
    this.#isStream = isTrue(original.request.members, stream);
    this.#joiner =
      before.identity.length === 0
        ? undefined
        : new ResponseJoiner(before, original.prefill, this.#isStream);
    this.eventBytesMax = original.inner?.eventBytesMax ?? usualEventBytesMax;
  }

  /** For the response of the next attempt. */
  next(): ContinuedResponse {
    return new ContinuedResponse(this.#original, {
      text: this.#allText(),
      ids: this.#allIds(),
      tokens: this.#before.tokens + this.#tokens,
      knowsIds: this.#before.knowsIds && this.#knowsIds,
      identity: this.#identity,
      isOpened: this.#isOpened,
    });
  }

  /** All of the text is collected for the rest. */
  concerns(): boolean {
    return true;
  }

  /** Also if it is preempted here: the usage of the whole response begins with what the first prefill has counted. */
  awaitsPrefill(json: Buffer): boolean {
    const { inner, prefill } = this.#original;
    if (inner?.awaitsPrefill?.(json)) return true;
    if (prefill === undefined || prefill.whole !== undefined) return false;
    const list = memberOf(json, { start: 0, end: json.length }, choices);
    const elements = (list && arrayElements(json, list.start, list.end)) ?? [];
    return elements.some((choice) => isRecomputed(json, choice));
  }

  change(json: Buffer): Buffer | ResponseFate {
    const whole = { start: 0, end: json.length };
    const list = memberOf(json, whole, choices);
    const elements = list && arrayElements(json, list.start, list.end);
    // An error's event, the end of the stream, and endpoints whose responses cannot be continued.
    if (elements === undefined) return this.#original.inner?.change(json);
    if (this.#identity.length === 0) this.#identity = identity.map((key) => copyOf(json, key));
    const patches = new Patches(json);
    const reported = memberOf(json, whole, usage);
    const isPreempted = elements.some((choice) => isRecomputed(json, choice));
    for (const choice of elements) {
      const isOpening = this.#take(json, choice, reported);
      if (isOpening && this.#before.isOpened) return "dropped";
      this.#isOpened ||= isOpening;
    }
    if (isPreempted) {
      // The client does not get this event, so it must bring no text.
      if (elements.length > 1 || (this.#isStream && this.#lastBytes > 0)) this.#isStuck = true;
      return "unfinished";
    }
    this.#joiner?.join(patches, elements, reported);
    const joined = patches.result() ?? json;
    const changed = this.#original.inner?.change(joined) ?? joined;
    return changed === json ? undefined : changed;
  }

  rest(): Buffer | undefined {
    const { request, prefill } = this.#original;
    if (this.#isStuck || !isContinuable(request)) return undefined;
    const { tokens, knowsIds } = this.#before;
    return restOf(request, {
      text: this.#allText(),
      tokenIds: knowsIds && this.#knowsIds ? this.#allIds() : undefined,
      promptIds: prefill?.whole && promptIdsOf(prefill.whole),
      tokens: tokens + this.#tokens,
    });
  }

  /** Of the text that came last. */
  #lastBytes = 0;

  /** Collects what a choice has generated; true for the event that only opens a chat's response. */
  #take(json: Buffer, choice: Span, reported: Span | undefined): boolean {
    const inner = memberOf(json, choice, delta) ?? memberOf(json, choice, message) ?? choice;
    const value = memberOf(json, inner, inner === choice ? text : content);
    const isText = value !== undefined && json[value.start] === 0x22;
    const isOpening =
      this.#isStream && isSet(json, inner, role) && (!isText || value.end - value.start === 2);
    const number = memberOf(json, choice, index);
    if (number !== undefined && json[number.start] !== 0x30) this.#isStuck = true;
    if (otherTexts.some((key) => isFilled(json, inner, key))) this.#isStuck = true;
    // A copy: the event is a part of a larger buffer, which would stay in memory as well.
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
