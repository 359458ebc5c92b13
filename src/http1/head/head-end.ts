// Finds where a head ends among the bytes that have arrived.

import { CLASS, CR, IS_VALUE, LF } from "../charset.ts";

export const HEAD_UNFINISHED = -1;
export const HEAD_MALFORMED = -2;

const BLANK_LINE: Buffer = Buffer.from("\r\n\r\n", "latin1");

/** Whether bytes of a head, from `from` on, hold what no head can: a control character, or CR or LF alone. */
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
 * Offset just after the CRLFCRLF of the head that begins at `from`, within buffer[from, end). HEAD_UNFINISHED: not all
 * of it is there. HEAD_MALFORMED: it is not, and what is there can be refused at once (lines that end with LF alone, a
 * TLS greeting), where waiting for more would only end in a time-out.
 *
 * `resume` is the `end` of the call before, for the same head in the same place: only new bytes are looked at, however
 * they trickle in. The caller bounds the size of an unfinished head.
 */
export function findHeadEnd(
  buffer: Buffer,
  from: number,
  end: number,
  resume: number = from,
): number {
  // The end of the head may straddle what has been seen.
  const searchFrom = Math.max(from, resume - 3);
  // A native search has no end of its own, and would go on through what is left over behind `end`.
  const searched = end === buffer.length ? buffer : buffer.subarray(0, end);
  const found = searched.indexOf(BLANK_LINE, searchFrom);
  if (found >= 0) return found + 4;
  // One byte back, as whether a CR at the end is alone shows only now.
  const checkFrom = Math.max(from, resume - 1);
  return isMalformed(buffer, from, checkFrom, end) ? HEAD_MALFORMED : HEAD_UNFINISHED;
}
