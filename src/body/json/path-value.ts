/** Finds one value of a JSON text at any depth, without decoding the rest. */

import { memberOf } from "../edit/patches.ts";
import { arrayElements } from "./array.ts";
import type { KeyName } from "./key-name.ts";
import type { Span } from "./member-value.ts";

/** A member of an object, or the index of an array's element, from 0. */
export type PathStep = KeyName | number;

/**
 * The span of the value to which the path leads from the value at `within`, whatever its type; undefined when there is
 * none, or when a step leads into something that is not an object or array. If a name occurs twice, the last one
 * counts, as for `JSON.parse`. Each step scans the whole value that it enters: for many values of one large object one
 * `scanTopLevel` is faster.
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
