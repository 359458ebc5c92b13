// Reads the field lines of a head, from the line after the start line to the empty line, in one pass over its bytes.

import { CLASS, CR, HTAB, IS_HOST, IS_TOKEN, IS_VALUE, LF, SP } from "../charset.ts";
import type { HeadLimits } from "../limits.ts";
import { type HttpProblem, PROBLEMS } from "../problems.ts";
import { fieldIdAt, IGNORED_FIELD } from "./field-ids.ts";
import type { HeaderFields } from "./header-fields.ts";

const COLON = 0x3a;
const DOT = 0x2e;
const UNDERSCORE = 0x5f;

/**
 * Why the byte at `at`, the first that is not a token character, does not end a field name that starts at `lineStart`.
 */
function nameProblem(bytes: Uint8Array, lineStart: number, at: number): HttpProblem {
  const code = bytes[at]!;
  if (code === LF) return PROBLEMS.bareLineFeed;
  if (code === CR && bytes[at + 1] !== LF) return PROBLEMS.bareCarriageReturn;
  if (code === SP || code === HTAB) {
    return at === lineStart ? PROBLEMS.foldedLine : PROBLEMS.spaceBeforeColon;
  }
  return code === CR && at > lineStart ? PROBLEMS.missingColon : PROBLEMS.badFieldName;
}

function valueProblem(code: number): HttpProblem {
  if (code === LF) return PROBLEMS.bareLineFeed;
  return code === CR ? PROBLEMS.bareCarriageReturn : PROBLEMS.badFieldValue;
}

/** Whether a name has other characters than letters, digits, hyphens and, if they may be, underscores. */
function isOdd(bytes: Uint8Array, start: number, end: number, underscores: boolean): boolean {
  for (let at = start; at < end; at++) {
    const code = bytes[at]!;
    if ((CLASS[code]! & IS_HOST) !== 0 && code !== DOT && (underscores || code !== UNDERSCORE))
      continue;
    return true;
  }
  return false;
}

/**
 * Adds the lines of bytes[from, end) to `fields`; bytes[end - 4, end) are CRLFCRLF, so that no scan runs past `end`,
 * and `from` is at most end - 2. Afterwards the only empty line is the last one.
 */
export function readFieldLines(
  bytes: Uint8Array,
  from: number,
  end: number,
  fields: HeaderFields,
  limits: HeadLimits,
): HttpProblem | undefined {
  const blankLine = end - 2;
  let at = from;
  while (at < blankLine) {
    const nameStart = at;
    while ((CLASS[bytes[at]!]! & IS_TOKEN) !== 0) at++;
    const nameEnd = at;
    if (bytes[at] !== COLON || nameEnd === nameStart) return nameProblem(bytes, nameStart, at);
    if (fields.count >= limits.fieldCount) return PROBLEMS.tooManyFields;
    let code = bytes[++at]!;
    while (code === SP || code === HTAB) code = bytes[++at]!;
    const valueStart = at;
    while ((CLASS[code]! & IS_VALUE) !== 0) code = bytes[++at]!;
    if (code !== CR || bytes[at + 1] !== LF) return valueProblem(code);
    let valueEnd = at;
    while (valueEnd > valueStart && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === HTAB)) {
      valueEnd--;
    }
    at += 2;
    const id = fieldIdAt(bytes, nameStart, nameEnd);
    // No name with an id is odd.
    const mayIgnore = id === 0 && limits.names !== undefined;
    const underscores = limits.names === "with-underscores";
    const isIgnored = mayIgnore && isOdd(bytes, nameStart, nameEnd, underscores);
    fields.add(isIgnored ? IGNORED_FIELD : id, nameStart, nameEnd, valueStart, valueEnd, at);
  }
  return undefined;
}
