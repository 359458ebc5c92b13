/** Finds the elements of a JSON array, without decoding any of them. */

import type { Span } from "./member-value.ts";
import { JsonFault, type JsonProblem } from "./problem.ts";
import { expectByte, nestedEnd, scalarEnd, spaceEnd, stringEnd } from "./token-ends.ts";
import { scanTopLevel, type TopLevel } from "./top-level.ts";

/** The spans of the elements of the array in `bytes` from `start` to `end`; undefined when there is no array. */
export function arrayElements(bytes: Buffer, start: number, end: number): Span[] | undefined {
  try {
    return scan(bytes, spaceEnd(bytes, start, end), end);
  } catch (fault) {
    if (fault instanceof JsonFault) return undefined;
    throw fault;
  }
}

function scan(bytes: Buffer, at: number, end: number): Span[] {
  expectByte(at, end, bytes[at] === 0x5b);
  const elements: Span[] = [];
  let p = spaceEnd(bytes, at + 1, end);
  if (bytes[p] === 0x5d) return elements;
  for (;;) {
    const to = valueEnd(bytes, p, end);
    elements.push({ start: p, end: to });
    p = spaceEnd(bytes, to, end);
    if (p < end && bytes[p] === 0x5d) return elements;
    expectByte(p, end, bytes[p] === 0x2c);
    p = spaceEnd(bytes, p + 1, end);
  }
}

/**
 * Whether any element of the array in `bytes` from `start` on is an object of which `holds` is true; a problem, if the
 * array or one of its objects cannot be read so far. Takes no memory for the elements.
 *
 * @param object is the next one with each call
 */
export function someObject(
  bytes: Buffer,
  start: number,
  object: TopLevel,
  holds: (object: TopLevel) => boolean,
): boolean | JsonProblem {
  const end = bytes.length;
  try {
    for (let p = spaceEnd(bytes, start + 1, end); bytes[p] !== 0x5d; ) {
      const to = valueEnd(bytes, p, end);
      if (bytes[p] === 0x7b) {
        const problem = scanTopLevel(bytes, p, to, object);
        if (problem !== undefined) return problem;
        if (holds(object)) return true;
      }
      p = spaceEnd(bytes, to, end);
      if (bytes[p] === 0x2c) p = spaceEnd(bytes, p + 1, end);
      else expectByte(p, end, bytes[p] === 0x5d);
    }
  } catch (fault) {
    if (fault instanceof JsonFault) return fault.problem;
    throw fault;
  }
  return false;
}

/** The offset after the value that starts at `at`. Throws a JsonFault if there is none. */
export function valueEnd(bytes: Buffer, at: number, end: number): number {
  expectByte(at, end, true);
  const byte = bytes[at];
  if (byte === 0x22) return stringEnd(bytes, at, end);
  if (byte === 0x7b || byte === 0x5b) return nestedEnd(bytes, at, end);
  return scalarEnd(bytes, at, end);
}
