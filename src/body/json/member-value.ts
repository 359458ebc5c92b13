/** Takes one member out of a JSON answer, without decoding the rest. */

import type { KeyName } from "./key-name.ts";
import { scanTopLevel, TopLevel } from "./top-level.ts";

/** Of a value, in bytes from the start of the buffer. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Shared: a call is synchronous and leaves nothing in it. */
const members = new TopLevel();

/**
 * Where the value of the top-level member `key` stands in the JSON object `bytes`, be it an object, a string, null
 * or anything else. Of a name that stands twice the last counts, as for `JSON.parse`. Undefined when there is no
 * such member, and when `bytes` is no JSON object (an error page, a compressed body).
 */
export function memberValue(bytes: Buffer, key: KeyName): Span | undefined {
  if (scanTopLevel(bytes, 0, bytes.length, members) !== undefined) return undefined;
  const index = members.lastIndexOf(key);
  const span =
    index < 0 ? undefined : { start: members.valueStart(index), end: members.valueEnd(index) };
  members.clear();
  return span;
}
