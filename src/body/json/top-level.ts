/** Finds the spans of the top-level members of a JSON object, without decoding any of it. */

import type { KeyName } from "./key-name.ts";
import type { KeySet } from "./key-set.ts";
import { JsonFault, type JsonProblem } from "./problem.ts";
import { expectByte, keyEnd, nestedEnd, scalarEnd, spaceEnd, stringEnd } from "./token-ends.ts";

/** How many members the object itself may have. Real requests have fewer than 40. */
export const maxMembers = 1024;

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const openBracket = 0x5b;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** Integers per member: key start, key end, value start, value end. */
const stride = 4;

/**
 * The members of one object, as offsets into the scanned buffer. Created once and used for many bodies; it references
 * the last one until `clear`. Offsets are valid only for indexes below `count`.
 */
export class TopLevel {
  /** The buffer that all offsets point into. */
  bytes: Buffer = nothing;
  /** What was scanned: the object and the white space (or byte order mark) around it. */
  start = 0;
  end = 0;
  /** The offset of the opening brace, and the one after the closing brace. */
  objectStart = 0;
  objectEnd = 0;
  count = 0;
  #hasEscapedKeys = false;
  #offsets = new Int32Array(16 * stride);

  /** The offset of the key's opening quote. */
  keyStart(index: number): number {
    return this.#offsets[index * stride]!;
  }

  /** The offset after the key's closing quote. */
  keyEnd(index: number): number {
    return this.#offsets[index * stride + 1]!;
  }

  valueStart(index: number): number {
    return this.#offsets[index * stride + 2]!;
  }

  valueEnd(index: number): number {
    return this.#offsets[index * stride + 3]!;
  }

  /** The value's bytes as they are in the body; strings have their quotes. A view, not a copy. */
  value(index: number): Buffer {
    return this.bytes.subarray(this.valueStart(index), this.valueEnd(index));
  }

  /** The first member of that name at `from` or after it, or -1. */
  indexOf(key: KeyName, from = 0): number {
    const quotedBytes = key.bytes.length + 2;
    const offsets = this.#offsets;
    for (let i = from; i < this.count; i++) {
      // Most names differ in length: comparing lengths first halves the time.
      const bytes = offsets[i * stride + 1]! - offsets[i * stride]!;
      if ((bytes === quotedBytes || this.#hasEscapedKeys) && this.#isNamed(i, key)) return i;
    }
    return -1;
  }

  /** The first member with one of the names at `from` or after it, or -1. */
  indexOfAny(set: KeySet, from = 0): number {
    const offsets = this.#offsets;
    for (let i = from; i < this.count; i++) {
      const from = offsets[i * stride]! + 1;
      const length = offsets[i * stride + 1]! - 1 - from;
      if (!this.#hasEscapedKeys && !set.mayHave(length, this.bytes[from]!)) continue;
      for (const key of set.keys) if (this.#isNamed(i, key)) return i;
    }
    return -1;
  }

  /** The last member of that name, or -1: the one that counts if a name occurs twice. */
  lastIndexOf(key: KeyName): number {
    const quotedBytes = key.bytes.length + 2;
    const offsets = this.#offsets;
    for (let i = this.count - 1; i >= 0; i--) {
      const bytes = offsets[i * stride + 1]! - offsets[i * stride]!;
      if ((bytes === quotedBytes || this.#hasEscapedKeys) && this.#isNamed(i, key)) return i;
    }
    return -1;
  }

  #isNamed(index: number, key: KeyName): boolean {
    const from = this.keyStart(index) + 1;
    const to = this.keyEnd(index) - 1;
    if (key.matches(this.bytes, from, to)) return true;
    return this.#hasEscapedKeys && key.matchesEscaped(this.bytes, from, to);
  }

  /** Drops the body, so that its memory can be freed. */
  clear(): void {
    this.reset(nothing, 0, 0);
  }

  /** @internal For the scanner. */
  reset(bytes: Buffer, start: number, end: number): void {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.objectStart = start;
    this.objectEnd = start;
    this.count = 0;
    this.#hasEscapedKeys = false;
  }

  /** @internal For the scanner. */
  add(keyFrom: number, keyTo: number, valueFrom: number, valueTo: number): void {
    const at = this.count * stride;
    if (at === this.#offsets.length) {
      const larger = new Int32Array(at * 2);
      larger.set(this.#offsets);
      this.#offsets = larger;
    }
    this.#offsets[at] = keyFrom;
    this.#offsets[at + 1] = keyTo;
    this.#offsets[at + 2] = valueFrom;
    this.#offsets[at + 3] = valueTo;
    this.count++;
    if (!this.#hasEscapedKeys) this.#hasEscapedKeys = hasBackslash(this.bytes, keyFrom, keyTo);
  }
}

const nothing = Buffer.alloc(0);

function hasBackslash(bytes: Buffer, from: number, to: number): boolean {
  for (let p = from; p < to; p++) if (bytes[p] === 0x5c) return true;
  return false;
}

/**
 * Fills `into` from the JSON object in `bytes` from `start` to `end`, or returns why there is none and leaves `into`
 * empty.
 *
 * It accepts whatever `JSON.parse` accepts as an object, with the same members, within `maxDepth` and `maxMembers`. It
 * checks the object's own commas, colons, keys and scalars, and that only white space surrounds it; inside nested
 * values, that brackets match and strings end. The engine parses in full and checks the rest: the contents of string
 * values (escapes, control characters, UTF-8), and commas, colons and scalars inside nested values. None of that can
 * move the border of a top-level member, so every edit lands where the engine reads it.
 *
 * A UTF-8 byte order mark before the object is allowed: CPython's `json.loads` on bytes, which FastAPI engines (vLLM,
 * SGLang, TensorRT-LLM) use, skips it, so a client that works without the proxy works with it. Bodies in UTF-16 or
 * UTF-32, which it accepts as well, are rejected here as malformed.
 */
export function scanTopLevel(
  bytes: Buffer,
  start: number,
  end: number,
  into: TopLevel,
): JsonProblem | undefined {
  into.reset(bytes, start, end);
  try {
    into.objectStart = spaceEnd(bytes, afterMark(bytes, start, end), end);
    into.objectEnd = scanObject(bytes, into.objectStart, end, into);
    const after = spaceEnd(bytes, into.objectEnd, end);
    if (after < end) throw new JsonFault("trailing_bytes", after);
    return undefined;
  } catch (fault) {
    into.clear();
    if (fault instanceof JsonFault) return fault.problem;
    throw fault;
  }
}

function afterMark(bytes: Buffer, start: number, end: number): number {
  const marked =
    end - start >= 3 &&
    bytes[start] === 0xef &&
    bytes[start + 1] === 0xbb &&
    bytes[start + 2] === 0xbf;
  return marked ? start + 3 : start;
}

/** The offset after the closing brace. */
function scanObject(bytes: Buffer, at: number, end: number, into: TopLevel): number {
  if (at < end && bytes[at] !== openBrace) throw new JsonFault("not_object", at);
  let p = spaceEnd(bytes, at + 1, end);
  if (p < end && bytes[p] === closeBrace) return p + 1;
  for (;;) {
    expectByte(p, end, bytes[p] === quote);
    if (into.count === maxMembers) throw new JsonFault("too_many_members", p);
    const keyFrom = p;
    const keyTo = keyEnd(bytes, keyFrom, end);
    p = spaceEnd(bytes, keyTo, end);
    expectByte(p, end, bytes[p] === colon);
    const valueFrom = spaceEnd(bytes, p + 1, end);
    const valueTo = valueEnd(bytes, valueFrom, end);
    into.add(keyFrom, keyTo, valueFrom, valueTo);
    p = spaceEnd(bytes, valueTo, end);
    if (p < end && bytes[p] === closeBrace) return p + 1;
    expectByte(p, end, bytes[p] === comma);
    p = spaceEnd(bytes, p + 1, end);
  }
}

function valueEnd(bytes: Buffer, at: number, end: number): number {
  expectByte(at, end, true);
  const byte = bytes[at];
  if (byte === quote) return stringEnd(bytes, at, end);
  if (byte === openBrace || byte === openBracket) return nestedEnd(bytes, at, end);
  return scalarEnd(bytes, at, end);
}
