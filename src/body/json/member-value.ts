/** Finds one member of a JSON object, without decoding the rest. */

import type { KeyName } from "./key-name.ts";
import { scanTopLevel, TopLevel } from "./top-level.ts";

/** Where a value is, in bytes from the start of the buffer. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Shared: a call is synchronous and clears it. */
const members = new TopLevel();

/**
 * The span of the value of the top-level member `key` in the JSON object `bytes`, whatever its type. If a name occurs
 * twice, the last one counts, as for `JSON.parse`. Undefined when there is no such member, and when `bytes` is not a
 * JSON object (an error page, a compressed body).
 */
export function memberValue(bytes: Buffer, key: KeyName): Span | undefined {
  if (scanTopLevel(bytes, 0, bytes.length, members) !== undefined) return undefined;
  const index = members.lastIndexOf(key);
  const span =
    index < 0 ? undefined : { start: members.valueStart(index), end: members.valueEnd(index) };
  members.clear();
  return span;
}
