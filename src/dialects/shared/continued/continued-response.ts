/** One response to the client, made of the responses of several attempts, of which all but the last broke off. */

import { memberOf, memberRemoval, Patches } from "../../../body/edit/patches.ts";
import { arrayElements } from "../../../body/json/array.ts";
import { KeyName } from "../../../body/json/key-name.ts";
import type { Span } from "../../../body/json/member-value.ts";
import { usualEventBytesMax } from "../../../limits.ts";
import type {
  DialectRequest,
  PrefillResponse,
  ResponseFate,
  ResponseFilter,
  ResponseMerge,
} from "../../dialect.ts";
import { isTrue } from "../member-facts.ts";
import { hidesIds } from "../token-ids.ts";
import { isContinuable } from "./continuable.ts";
import { Generated, type GeneratedBefore, nothingBefore } from "./generated.ts";
import { type FirstResponse, ResponseJoiner } from "./join-response.ts";
import {
  choices,
  completionTokens,
  content,
  copyOf,
  delta,
  finishReason,
  identity,
  integerAt,
  isFilled,
  isServerError,
  isSet,
  message,
  promptIdsOf,
  promptTokenIds,
  promptTokensOf,
  text,
  tokenIds,
  usage,
} from "./response-members.ts";
import { restOf } from "./rest.ts";

const stream = new KeyName("stream");
const index = new KeyName("index");
const role = new KeyName("role");
const stopReason = new KeyName("stop_reason");
/** Text of another kind, with which no prompt can be continued. */
const otherTexts = ["reasoning_content", "reasoning", "tool_calls", "function_call"].map(
  (name) => new KeyName(name),
);

const recomputed = Buffer.from('"recomputed"');
const done = Buffer.from("[DONE]");
const empty = Buffer.alloc(0);

/** What stays the same over all attempts. */
export interface Original {
  readonly request: DialectRequest;
  readonly merge: ResponseMerge | undefined;
  readonly asksForIds: boolean;
}

export class ContinuedResponse implements ResponseFilter {
  readonly eventBytesMax: number;
  /** The end has begun: what has come of it goes out with the rest of it, or not at all. */
  holds = false;
  isComplete = false;
  readonly #original: Original;
  readonly #prefill: PrefillResponse | undefined;
  readonly #inner: ResponseFilter | undefined;
  readonly #isStream: boolean;
  readonly #hidesIds: boolean;
  /** Undefined = this is the first attempt. */
  readonly #joiner: ResponseJoiner | undefined;
  readonly #generated: Generated;
  readonly #first: FirstResponse;
  /** Something was generated that cannot be continued. */
  #isStuck: boolean;

  constructor(
    original: Original,
    prefill: PrefillResponse | undefined,
    before: GeneratedBefore = nothingBefore,
    first?: FirstResponse,
    inner = original.merge?.begin(original.request, prefill, undefined),
  ) {
    const { members } = original.request;
    this.#original = original;
    this.#prefill = prefill;
    this.#inner = inner;
    this.#isStream = isTrue(members, stream);
    this.#isStuck = !isContinuable(original.request);
    this.#hidesIds = original.asksForIds && hidesIds(members);
    this.#generated = new Generated(before);
    this.#first = first ?? {
      identity: [],
      isOpened: false,
      promptIds: undefined,
      showsPromptIds: false,
      promptTokens: undefined,
    };
    this.#joiner = first && new ResponseJoiner(before, first, this.#isStream);
    this.eventBytesMax = inner?.eventBytesMax ?? usualEventBytesMax;
  }

  /** For the response of the next attempt. */
  next(prefill: PrefillResponse | undefined): ContinuedResponse {
    const { all } = this.#generated;
    this.#notePrefill();
    // What was cached before is what the first prefill has said, if it has come to that.
    const keeps = this.#prefill === undefined || this.#prefill.whole !== undefined;
    return keeps
      ? new ContinuedResponse(this.#original, this.#prefill, all, this.#first, this.#inner)
      : new ContinuedResponse(this.#original, prefill, all, this.#first);
  }

  /** All of the text is collected for the rest. */
  concerns(): boolean {
    return true;
  }

  /** Also if it is preempted here: the usage of the whole response begins with what the first prefill has counted. */
  awaitsPrefill(json: Buffer): boolean {
    if (this.#inner?.awaitsPrefill?.(json)) return true;
    if (this.#prefill === undefined || this.#prefill.whole !== undefined) return false;
    return (choicesOf(json) ?? []).some((choice) => isRecomputed(json, choice));
  }

  change(json: Buffer): Buffer | ResponseFate {
    const elements = choicesOf(json);
    if (elements === undefined) return this.#changeOther(json);
    const { identity: known } = this.#first;
    if (known.length === 0) this.#first.identity = identity.map((key) => copyOf(json, key));
    if (this.#joiner === undefined) this.#first.promptIds ??= copied(promptIdsOf(json));
    const isPreempted = elements.some((choice) => isRecomputed(json, choice));
    const isEnd = this.#isStream && elements.some((choice) => isSet(json, choice, finishReason));
    if (isEnd && !isPreempted && !this.#isStuck) this.holds = true;
    const reported = memberOf(json, { start: 0, end: json.length }, usage);
    let textBytes = 0;
    for (const choice of this.holds ? [] : elements) {
      const isOpening = this.#isOpening(json, choice);
      textBytes = this.#take(json, choice, reported);
      if (isOpening && this.#joiner !== undefined && this.#first.isOpened) return "dropped";
      this.#first.isOpened ||= isOpening;
    }
    if (isPreempted) {
      // The client does not get this event, so it must bring no text.
      if (elements.length > 1 || (this.#isStream && textBytes > 0)) this.#isStuck = true;
      return "unfinished";
    }
    const joined = this.#joined(json, elements, reported);
    this.#first.showsPromptIds ||= elements.some((choice) => isSet(json, choice, promptTokenIds));
    return joined;
  }

  rest(): Buffer | undefined {
    const { request } = this.#original;
    if (this.#isStuck || this.isComplete || this.#generated.isTooLong) return undefined;
    // Nothing is known of what the client has.
    if (this.#first.identity.length === 0) return undefined;
    this.#notePrefill();
    const { text: all, ids, tokens, knowsIds } = this.#generated.all;
    const tokenIds = knowsIds ? ids : undefined;
    return restOf(request, { text: all, tokenIds, promptIds: this.#first.promptIds, tokens });
  }

  missed(): void {
    this.#isStuck = true;
  }

  /** The end of the stream, an error's event, and endpoints whose responses cannot be continued. */
  #changeOther(json: Buffer): Buffer | ResponseFate {
    if (json.equals(done)) {
      this.holds = false;
      this.isComplete = true;
    }
    // An engine whose core has died may still say so. One that makes nothing of the rest is not asked again.
    const hasBegun = this.#isStream && this.#generated.ownTokens > 0;
    if (hasBegun && isServerError(json) && this.rest() !== undefined) return "unfinished";
    return this.#inner?.change(json);
  }

  #joined(json: Buffer, elements: readonly Span[], reported: Span | undefined): Buffer | undefined {
    const patches = new Patches(json);
    this.#joiner?.join(patches, elements, reported);
    const joined = this.#withoutIds(patches.result() ?? json);
    const changed = this.#inner?.change(joined);
    const result = changed === undefined || typeof changed === "string" ? joined : changed;
    return result === json ? undefined : result;
  }

  /** The ids that only the proxy has asked for. */
  #withoutIds(json: Buffer): Buffer {
    if (!this.#hidesIds) return json;
    const patches = new Patches(json);
    for (const object of [{ start: 0, end: json.length }, ...(choicesOf(json) ?? [])]) {
      for (const key of [tokenIds, promptTokenIds]) {
        const removal = memberRemoval(json, object, key);
        if (removal !== undefined) patches.replace(removal, empty);
      }
    }
    return patches.result() ?? json;
  }

  /** The event that only opens a chat's response. */
  #isOpening(json: Buffer, choice: Span): boolean {
    const { inner, value } = textOf(json, choice);
    const isEmpty = value === undefined || json[value.start] !== 0x22 || lengthOf(value) === 2;
    return this.#isStream && isSet(json, inner, role) && isEmpty;
  }

  /** Collects what a choice has generated. @returns bytes of its text */
  #take(json: Buffer, choice: Span, reported: Span | undefined): number {
    const { inner, value } = textOf(json, choice);
    const isText = value !== undefined && json[value.start] === 0x22;
    const number = memberOf(json, choice, index);
    if (number !== undefined && json[number.start] !== 0x30) this.#isStuck = true;
    if (otherTexts.some((key) => isFilled(json, inner, key))) this.#isStuck = true;
    // A copy: the event is a part of a larger buffer, which would stay in memory as well.
    const part = isText ? Buffer.from(json.subarray(value.start + 1, value.end - 1)) : empty;
    const span = memberOf(json, choice, tokenIds);
    const ids = span && arrayElements(json, span.start, span.end);
    const counted = reported && integerAt(json, memberOf(json, reported, completionTokens));
    const isBare = this.#isOpening(json, choice) || isRecomputed(json, choice);
    this.#generated.add({
      text: part,
      ids: ids && idBytes(json, ids),
      // Without ids or usage an event is one token.
      tokens: counted ?? ids?.length ?? (isBare ? 0 : 1),
      isTotal: counted !== undefined,
    });
    return part.length;
  }

  /** What the first prefill says of the prompt. */
  #notePrefill(): void {
    const { whole } = this.#prefill ?? {};
    if (whole === undefined || this.#joiner !== undefined) return;
    this.#first.promptIds ??= copied(promptIdsOf(whole));
    this.#first.promptTokens ??= promptTokensOf(whole);
  }
}

function choicesOf(json: Buffer): Span[] | undefined {
  const list = memberOf(json, { start: 0, end: json.length }, choices);
  return list && arrayElements(json, list.start, list.end);
}

function textOf(json: Buffer, choice: Span): { inner: Span; value: Span | undefined } {
  const inner = memberOf(json, choice, delta) ?? memberOf(json, choice, message) ?? choice;
  return { inner, value: memberOf(json, inner, inner === choice ? text : content) };
}

function idBytes(json: Buffer, ids: readonly Span[]): Buffer {
  return ids.length === 0 ? empty : Buffer.from(json.subarray(ids[0]!.start, ids.at(-1)!.end));
}

function isRecomputed(json: Buffer, choice: Span): boolean {
  const reason = memberOf(json, choice, stopReason);
  return reason !== undefined && json.subarray(reason.start, reason.end).equals(recomputed);
}

function lengthOf({ start, end }: Span): number {
  return end - start;
}

function copied(bytes: Buffer | undefined): Buffer | undefined {
  return bytes && Buffer.from(bytes);
}
