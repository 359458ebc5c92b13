// Finds where a head ends among the bytes that have arrived.

import { CLASS, CR, IS_VALUE, LF } from "../charset.ts";

export const HEAD_UNFINISHED = -1;
export const HEAD_MALFORMED = -2;

const BLANK_LINE: Buffer = Buffer.from("\r\n\r\n", "latin1");

/** Whether bytes of a head, from `from` on, contain what no head can: a control character, or CR or LF alone. */
function isMalformed(buffer: Uint8Array, headStart: number, from: number, end: number): boolean {
  for (let at = from; at < end; at++) {
    const code = buffer[at]!;
    if ((CLASS[code]! & IS_VALUE) !== 0) continue;
    if (code === LF && at > headStart && buffer[at - 1] === CR) continue;
    if (code === CR && (at + 1 === end || buffer[at + 1] === LF)) continue;
    return true;
  }
  return false;
}

/**
 * Offset just after the CRLFCRLF of the head that starts at `from`, within buffer[from, end). HEAD_UNFINISHED: it is
 * not complete. HEAD_MALFORMED: it is not complete, and can be rejected at once (lines that end with LF alone, a TLS
 * greeting), where waiting for more would only end in a time-out.
 *
 * `resume` is the `end` of the previous call for the same head in the same place: only new bytes are scanned, however
 * slowly they arrive. The caller limits the size of an unfinished head.
 */
export function findHeadEnd(
  buffer: Buffer,
  from: number,
  end: number,
  resume: number = from,
): number {
  // The CRLFCRLF may start among the bytes that were scanned before.
  const searchFrom = Math.max(from, resume - 3);
  // A native search has no end offset, and would continue through left-over bytes behind `end`.
  const searched = end === buffer.length ? buffer : buffer.subarray(0, end);
  const found = searched.indexOf(BLANK_LINE, searchFrom);
  if (found >= 0) return found + 4;
  // One byte back: whether a CR at the end was alone is known only now.
  const checkFrom = Math.max(from, resume - 1);
  return isMalformed(buffer, from, checkFrom, end) ? HEAD_MALFORMED : HEAD_UNFINISHED;
}
