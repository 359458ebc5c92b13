/**
 * The usage of a response through prefill and decode. To decode the whole prompt looks cached, since it has computed
 * none of it: only the prefill engine knows how much was cached before.
 */

import { isNull, memberOf, memberRemoval, type Patches } from "../../body/edit/patches.ts";
import { KeyName } from "../../body/json/key-name.ts";
import type { Span } from "../../body/json/member-value.ts";

const usage = new KeyName("usage");
/** What holds the usage in events of `/v1/responses` and `/v1/messages`. */
const holders = [new KeyName("response"), new KeyName("message")];
const details = [new KeyName("prompt_tokens_details"), new KeyName("input_tokens_details")];
const cacheRead = new KeyName("cache_read_input_tokens");
/** Beside the tokens read from a cache, the prompt's others: with them they make up the prompt. */
const besideRead = [new KeyName("input_tokens"), new KeyName("cache_creation_input_tokens")];

const nothing = Buffer.from("null");
const nothingAtAll = Buffer.alloc(0);

// A search that begins with a rare byte takes a quarter of the time of one that begins with a quote.
const detailsNeedle = Buffer.from('_tokens_details"');
const cacheReadNeedle = Buffer.from('_read_input_tokens"');

export class UsageMerge {
  readonly #prefill: Buffer;

  constructor(prefillResponse: Buffer) {
    this.#prefill = prefillResponse;
  }

  concerns(bytes: Buffer, start: number, end: number): boolean {
    return (
      hasValue(bytes, start, end, detailsNeedle) || hasValue(bytes, start, end, cacheReadNeedle)
    );
  }

  change(patches: Patches): void {
    const { bytes } = patches;
    const whole = { start: 0, end: bytes.length };
    this.#changeIn(patches, whole);
    for (const holder of holders) {
      const inner = memberOf(bytes, whole, holder);
      if (inner !== undefined) this.#changeIn(patches, inner);
    }
  }

  #changeIn(patches: Patches, holder: Span): void {
    const { bytes } = patches;
    const reported = memberOf(bytes, holder, usage);
    if (reported === undefined || bytes[reported.start] !== 0x7b) return;
    for (const key of details) {
      const value = memberOf(bytes, reported, key);
      // What decode says nothing of, a single engine would not say either: usage in the middle of a stream has no
      // details.
      if (value === undefined || isNull(bytes, value)) continue;
      const own = bytes.subarray(value.start, value.end);
      patches.replace(value, withNullsAs(own, this.#prefillUsage(key) ?? nothing));
    }
    const read = memberOf(bytes, reported, cacheRead);
    if (read === undefined || isNull(bytes, read)) return;
    const before = this.#prefillUsage(cacheRead);
    if (before === undefined) {
      // A single engine leaves out what it has none of.
      const removal = memberRemoval(bytes, reported, cacheRead);
      if (removal !== undefined) patches.replace(removal, nothingAtAll);
      return;
    }
    patches.replace(read, before);
    for (const key of besideRead) {
      const own = memberOf(bytes, reported, key);
      const known = this.#prefillUsage(key);
      if (own !== undefined && known !== undefined) patches.replace(own, known);
    }
  }

  #prefillUsage(key: KeyName): Buffer | undefined {
    const prefill = this.#prefill;
    const reported = memberOf(prefill, { start: 0, end: prefill.length }, usage);
    const value = reported && memberOf(prefill, reported, key);
    return value && prefill.subarray(value.start, value.end);
  }
}

const nullNeedle = Buffer.from(":null");

/**
 * vLLM's usage in one piece names the details that it has nothing of, and in a stream leaves them out: a null stays
 * only where decode has one, too.
 */
function withNullsAs(own: Buffer, reported: Buffer): Buffer {
  if (!reported.includes(nullNeedle)) return reported;
  const [inner, owned] = [objectOf(reported), objectOf(own)];
  if (inner === undefined || owned === undefined) return reported;
  const kept = Object.entries(inner).filter(([key, value]) => value !== null || key in owned);
  return Buffer.from(JSON.stringify(Object.fromEntries(kept)));
}

/** Undefined = it is none. */
function objectOf(json: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(json.toString());
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a member whose name ends with the needle, at any depth, has another value than null. */
export function hasValue(bytes: Buffer, start: number, end: number, needle: Buffer): boolean {
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
