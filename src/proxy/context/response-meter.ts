/**
 * Counts the tokens of a response on its way to the client without reading all of it: by the usage at its end, or by
 * its events; and takes the times between its events.
 */
import { KeyName } from "../../body/json/key-name.ts";
import type { TopLevel } from "../../body/json/top-level.ts";
import { observe, tokenBuckets } from "../../observe/metrics/buckets.ts";

/** Bytes of the response's end that are searched: usage, and what engines put behind it. */
const tailBytes = 2_048;
const event = Buffer.from("data: {");
const brace = 0x7b;
/** By the names of OpenAI's completions, and of its responses and Anthropic's messages. */
const promptNames = ['"prompt_tokens"', '"input_tokens"'].map((name) => Buffer.from(name));
const responseNames = ['"completion_tokens"', '"output_tokens"'].map((name) => Buffer.from(name));
const cachedNames = ['"cached_tokens"', '"cache_read_input_tokens"'].map((name) =>
  Buffer.from(name),
);
/** Where none of the names ends so, there is no usage. */
const nameEnd = Buffer.from('_tokens"');

interface MeterClock {
  nowMs(): number;
}

export class ResponseMeter {
  /** Events with data in JSON: of most engines one for each token. 0 = it is no stream. */
  events = 0;
  /** When the first and the last of them came, in ms of the clock; -1 = none has come, or there is no clock. */
  firstEventMs = -1;
  lastEventMs = -1;
  /** Times between pieces that have events, in seconds, as a histogram. Events that come together count once. */
  readonly gaps: Float64Array = new Float64Array(tokenBuckets.length + 2);
  readonly #clock: MeterClock | undefined;
  /** Twice the tail, so that it seldom has to be moved. */
  readonly #end = Buffer.allocUnsafe(2 * tailBytes);
  #length = 0;
  #hasBegun = false;
  #isStream = false;
  /** A piece that begins as an event and is shorter has no second one: events of a stream are about as long. */
  #oneEventBytes = 0;

  /** @param clock undefined = nobody asks for times */
  constructor(clock?: MeterClock) {
    this.#clock = clock;
  }

  /** For another response. */
  reset(): void {
    this.events = 0;
    this.firstEventMs = -1;
    this.lastEventMs = -1;
    this.gaps.fill(0);
    this.#length = 0;
    this.#hasBegun = false;
    this.#isStream = false;
    this.#oneEventBytes = 0;
  }

  add(chunk: Buffer, start: number, end: number): void {
    if (!this.#hasBegun) this.#begin(chunk, start, end);
    if (this.#isStream) this.#countEvents(chunk, start, end);
    const from = Math.max(start, end - tailBytes);
    if (this.#length + end - from > this.#end.length) {
      this.#end.copyWithin(0, this.#length - tailBytes, this.#length);
      this.#length = tailBytes;
    }
    this.#length += chunk.copy(this.#end, this.#length, from, end);
  }

  /** As the engine says; -1 = it does not. */
  get promptTokens(): number {
    return this.#last(promptNames);
  }

  get responseTokens(): number {
    return this.#last(responseNames);
  }

  /** Tokens of the prompt that the engine had cached. */
  get cachedTokens(): number {
    return this.#last(cachedNames);
  }

  /** Whether the engine has said how many tokens there were. */
  get hasUsage(): boolean {
    return this.#lastIndexOf(nameEnd) >= 0;
  }

  /** Of what has come of this response: a negative offset would count from the end, where an earlier one may be. */
  #lastIndexOf(text: Buffer): number {
    const from = this.#length - text.length;
    return from < 0 ? -1 : this.#end.lastIndexOf(text, from);
  }

  /** A response in one piece is JSON, whose text may look like events. */
  #begin(chunk: Buffer, start: number, end: number): void {
    if (end === start) return;
    this.#hasBegun = true;
    this.#isStream = chunk[dataAt(chunk, start, end)] !== brace;
  }

  #countEvents(chunk: Buffer, start: number, end: number): void {
    const bytes = end - start;
    if (bytes < this.#oneEventBytes && beginsEvent(chunk, dataAt(chunk, start, end), end)) {
      this.events += 1;
      this.#timeEvent();
      return;
    }
    let count = 0;
    for (let at = start; ; count += 1) {
      at = chunk.indexOf(event, at) + event.length;
      if (at < event.length || at > end) break;
    }
    if (count === 0) return;
    if (count === 1 && (this.#oneEventBytes === 0 || bytes * 1.5 < this.#oneEventBytes)) {
      this.#oneEventBytes = bytes * 1.5;
    }
    this.events += count;
    this.#timeEvent();
  }

  #timeEvent(): void {
    if (this.#clock === undefined) return;
    const nowMs = this.#clock.nowMs();
    if (this.lastEventMs < 0) this.firstEventMs = nowMs;
    else observe(this.gaps, 0, tokenBuckets, (nowMs - this.lastEventMs) / 1_000);
    this.lastEventMs = nowMs;
  }

  #last(names: readonly Buffer[]): number {
    for (const name of names) {
      const at = this.#lastIndexOf(name);
      const count = at < 0 ? -1 : this.#countAt(at + name.length);
      if (count >= 0) return count;
    }
    return -1;
  }

  /** The number behind a name's colon; -1 = there is none. */
  #countAt(from: number): number {
    let at = this.#afterSpace(from);
    if (this.#end[at] !== colon) return -1;
    at = this.#afterSpace(at + 1);
    let count = 0;
    const first = at;
    for (; at < this.#length && at - first < 9; at += 1) {
      const digit = this.#end[at]! - zero;
      if (digit < 0 || digit > 9) break;
      count = count * 10 + digit;
    }
    return at === first ? -1 : count;
  }

  #afterSpace(from: number): number {
    let at = from;
    while (at < this.#length && (this.#end[at] === 0x20 || this.#end[at] === 0x0a)) at += 1;
    return at;
  }
}

const messages = new KeyName("messages");

/**
 * How many tokens a response has: as its usage says, else as many as it has events. The first event of a chat has the
 * role alone.
 * @param members of the request
 */
export function outputTokensOf(
  meter: ResponseMeter,
  members: TopLevel | undefined,
  hasUsage: boolean = meter.hasUsage,
): { readonly tokens: number; readonly isUsage: boolean } {
  const reported = hasUsage ? meter.responseTokens : -1;
  if (reported >= 0) return { tokens: reported, isUsage: true };
  const isChat = members !== undefined && members.lastIndexOf(messages) >= 0;
  return { tokens: Math.max(0, meter.events - (isChat ? 1 : 0)), isUsage: false };
}

const colon = 0x3a;
const zero = 0x30;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;
/** Longest line of a chunk's size before its data. */
const sizeLineBytes = 10;

/** Where the data begins of bytes that may begin with the line of a chunk's size. */
function dataAt(chunk: Buffer, start: number, end: number): number {
  const last = Math.min(end, start + sizeLineBytes);
  for (let at = start; at < last; at += 1) {
    const byte = chunk[at]!;
    if (byte === lineFeed) return at + 1;
    const letter = byte | 0x20;
    const isDigit = (byte >= zero && byte <= 0x39) || (letter >= 0x61 && letter <= 0x66);
    if (!isDigit && byte !== carriageReturn) break;
  }
  return start;
}

function beginsEvent(chunk: Buffer, at: number, end: number): boolean {
  if (end - at < event.length) return false;
  for (let i = 0; i < event.length; i += 1) if (chunk[at + i] !== event[i]) return false;
  return true;
}
