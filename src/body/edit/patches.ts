/** Replacements in a JSON text at any depth, by offset: the rest stays byte for byte. */

import type { KeyName } from "../json/key-name.ts";
import type { Span } from "../json/member-value.ts";
import { scanTopLevel, TopLevel } from "../json/top-level.ts";

/** Shared: a call is synchronous and clears it. */
const members = new TopLevel();

/** The value of the member `key` of the object at `object`; if the name occurs twice, the last one. */
export function memberOf(bytes: Buffer, object: Span, key: KeyName): Span | undefined {
  if (scanTopLevel(bytes, object.start, object.end, members) !== undefined) return undefined;
  const index = members.lastIndexOf(key);
  const span =
    index < 0 ? undefined : { start: members.valueStart(index), end: members.valueEnd(index) };
  members.clear();
  return span;
}

/** The span of the member and its comma; undefined when there is none, or it is the only member. */
export function memberRemoval(bytes: Buffer, object: Span, key: KeyName): Span | undefined {
  if (scanTopLevel(bytes, object.start, object.end, members) !== undefined) return undefined;
  const index = members.lastIndexOf(key);
  let span: Span | undefined;
  if (index > 0) span = { start: members.valueEnd(index - 1), end: members.valueEnd(index) };
  else if (index === 0 && members.count > 1)
    span = { start: members.keyStart(0), end: members.keyStart(1) };
  members.clear();
  return span;
}

/** Of all JSON values only `null` starts with an n. */
export function isNull(bytes: Buffer, { start }: Span): boolean {
  return bytes[start] === 0x6e;
}

interface Patch extends Span {
  readonly value: Buffer;
}

export class Patches {
  readonly bytes: Buffer;
  readonly #patches: Patch[] = [];

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** Replacements must not overlap; an empty span inserts. */
  replace({ start, end }: Span, value: Buffer): void {
    this.#patches.push({ start, end, value });
  }

  /** The text with all replacements; undefined when there are none. */
  result(): Buffer | undefined {
    if (this.#patches.length === 0) return undefined;
    const parts: Buffer[] = [];
    let from = 0;
    for (const { start, end, value } of this.#patches.sort((a, b) => a.start - b.start)) {
      parts.push(this.bytes.subarray(from, start), value);
      from = end;
    }
    parts.push(this.bytes.subarray(from));
    return Buffer.concat(parts);
  }
}
