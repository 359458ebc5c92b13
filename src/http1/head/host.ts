// Checks the authority of a Host header or of an absolute target: a name or an address, with an optional port.

import { CLASS, IS_DIGIT, IS_HEX, IS_HOST } from "../charset.ts";

const DOT = 0x2e;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const PORT_DIGITS_MAX = 5;

/** Index after "[...]" of an IPv6 address, whose groups are not counted; -1 when it is none. No zone, no IPvFuture. */
function endOfAddress(bytes: Uint8Array, start: number, end: number): number {
  let at = start + 1;
  let colons = 0;
  while (at < end && bytes[at] !== CLOSE_BRACKET) {
    const code = bytes[at]!;
    if (code === COLON) colons++;
    else if (code !== DOT && (CLASS[code]! & IS_HEX) === 0) return -1;
    at++;
  }
  return at < end && colons >= 2 ? at + 1 : -1;
}

/** Index after a host name; -1 when it is empty, begins with a dot or has two dots in a row. */
function endOfName(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  let dotBefore = true;
  while (at < end && (CLASS[bytes[at]!]! & IS_HOST) !== 0) {
    const dot = bytes[at] === DOT;
    if (dot && dotBefore) return -1;
    dotBefore = dot;
    at++;
  }
  return at > start ? at : -1;
}

/**
 * Whether bytes[start, end) name a host. Stricter than RFC 3986: no user, no percent-encoding, no sub-delimiters, no
 * empty name, no empty port, because two readers could take each of those for different hosts.
 */
export function isHost(bytes: Uint8Array, start: number, end: number): boolean {
  const nameEnd =
    bytes[start] === OPEN_BRACKET ? endOfAddress(bytes, start, end) : endOfName(bytes, start, end);
  if (nameEnd < 0 || nameEnd === end) return nameEnd === end;
  const digits = end - nameEnd - 1;
  if (bytes[nameEnd] !== COLON || digits === 0 || digits > PORT_DIGITS_MAX) return false;
  for (let at = nameEnd + 1; at < end; at++) {
    if ((CLASS[bytes[at]!]! & IS_DIGIT) === 0) return false;
  }
  return true;
}
