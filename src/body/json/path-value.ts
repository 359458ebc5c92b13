/** Takes one value out of a JSON text at any depth, without decoding the rest. */

import { memberOf } from "../edit/patches.ts";
import { arrayElements } from "./array.ts";
import type { KeyName } from "./key-name.ts";
import type { Span } from "./member-value.ts";

/** A member of an object, or the element of an array with that number, from 0. */
export type PathStep = KeyName | number;

/**
 * Where the value stands that the path leads to from the value at `within`, be it null or anything else; undefined when there is none,
 * and when something on the way is no object or array. Of a name that stands twice the last counts, as for `JSON.parse`. Each step
 * looks at all of the value that it goes into: many values of one large object are found faster by one `scanTopLevel`.
 */
export function valueAt(bytes: Buffer, within: Span, path: readonly PathStep[]): Span | undefined {
  let at: Span | undefined = within;
  for (const step of path) {
    if (at === undefined) return undefined;
    at =
      typeof step === "number"
        ? arrayElements(bytes, at.start, at.end)?.[step]
        : memberOf(bytes, at, step);
  }
  return at;
}
