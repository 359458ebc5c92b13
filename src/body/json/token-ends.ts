/** Finds where one JSON token ends, in bytes; throws `JsonFault` where none does. */

import { JsonFault } from "./problem.ts";

/** How deep a nested value may be. CPython's parser gives up near 1000; real requests stay under 20. */
export const maxDepth = 512;

const quote = 0x22;
const backslash = 0x5c;

/**
 * How far a string is searched byte by byte before the native search takes over. The native search reads tens of
 * bytes per nanosecond but costs 50 to 150 ns to call: long prompts need it, and prompts full of `\"` must avoid it.
 * Between 32 and 128 the measured difference is small (bench/micro/body.ts).
 */
const nearBytes = 64;

/**
 * The offset after the closing quote of the string that opens at `at`. The engine checks what is between the quotes
 * (escapes, control characters, UTF-8): checking it here would mean touching every byte of the prompt.
 */
export function stringEnd(bytes: Buffer, at: number, end: number): number {
  let p = at + 1;
  for (;;) {
    const near = Math.min(p + nearBytes, end);
    while (p < near && bytes[p] !== quote) p++;
    if (p === near) {
      p = near < end ? bytes.indexOf(quote, p) : -1;
      if (p < 0 || p >= end) throw new JsonFault("truncated", end);
    }
    // In an even run the backslashes escape each other. A run ends at the opening quote at the latest, and is
    // counted once, by the quote that follows it.
    let before = p - 1;
    while (bytes[before] === backslash) before--;
    p++;
    if (((p - before) & 1) === 0) return p;
  }
}

/** The closing bracket that each open level waits for. Shared: a scan is synchronous and never inside another. */
const closers = new Uint8Array(maxDepth);

/**
 * The offset after the bracket that closes the object or array that opens at `at`. Brackets must match by kind and
 * strings must end; the engine checks commas, colons and scalars inside.
 */
export function nestedEnd(bytes: Buffer, at: number, end: number): number {
  let depth = 0;
  let p = at;
  while (p < end) {
    const byte = bytes[p]!;
    if (byte === quote) {
      p = stringEnd(bytes, p, end);
      continue;
    }
    if (byte === 0x7b || byte === 0x5b) {
      if (depth === maxDepth) throw new JsonFault("too_deep", p);
      // In ASCII a closing bracket is two after its opening one, for both kinds.
      closers[depth++] = byte + 2;
    } else if (byte === 0x7d || byte === 0x5d) {
      if (closers[--depth] !== byte) throw new JsonFault("malformed", p);
      if (depth === 0) return p + 1;
    }
    p++;
    // Digits, commas and white space in a loop of their own: a prompt of token ids takes 40 µs per 60 KiB rather
    // than 100 on Node.
    while (p < end && bytes[p]! < 0x5b && bytes[p] !== quote) p++;
  }
  throw new JsonFault("truncated", end);
}

/** The offset after the number, `true`, `false` or `null` at `at`, which must be as RFC 8259 writes it. */
export function scalarEnd(bytes: Buffer, at: number, end: number): number {
  switch (bytes[at]) {
    case 0x74:
      return literalEnd(bytes, at, end, "true");
    case 0x66:
      return literalEnd(bytes, at, end, "false");
    case 0x6e:
      return literalEnd(bytes, at, end, "null");
    default:
      return numberEnd(bytes, at, end);
  }
}

function literalEnd(bytes: Buffer, at: number, end: number, literal: string): number {
  for (let i = 0; i < literal.length; i++) {
    expectByte(at + i, end, bytes[at + i] === literal.charCodeAt(i));
  }
  return at + literal.length;
}

function numberEnd(bytes: Buffer, at: number, end: number): number {
  let p = bytes[at] === 0x2d ? at + 1 : at;
  p = p < end && bytes[p] === 0x30 ? p + 1 : digitsEnd(bytes, p, end);
  if (p < end && bytes[p] === 0x2e) p = digitsEnd(bytes, p + 1, end);
  if (p < end && (bytes[p]! | 0x20) === 0x65) {
    p++;
    if (p < end && (bytes[p] === 0x2b || bytes[p] === 0x2d)) p++;
    p = digitsEnd(bytes, p, end);
  }
  return p;
}

/** The offset after one digit or more. */
function digitsEnd(bytes: Buffer, at: number, end: number): number {
  let p = at;
  while (p < end && isDigit(bytes[p]!)) p++;
  if (p === at) expectByte(at, end, false);
  return p;
}

/**
 * The offset after the closing quote of the key that opens at `at`. Keys are checked in full: they are short, and
 * which member an engine reads depends on them.
 */
export function keyEnd(bytes: Buffer, at: number, end: number): number {
  let p = at + 1;
  while (p < end) {
    const byte = bytes[p]!;
    if (byte === quote) return p + 1;
    if (byte < 0x20) throw new JsonFault("malformed", p);
    p = byte === backslash ? escapeEnd(bytes, p, end) : p + 1;
  }
  throw new JsonFault("truncated", end);
}

function escapeEnd(bytes: Buffer, at: number, end: number): number {
  const kind = bytes[at + 1]!;
  expectByte(at + 1, end, isEscape[kind] === 1);
  if (kind !== 0x75) return at + 2;
  for (let p = at + 2; p < at + 6; p++) expectByte(p, end, isHexDigit(bytes[p]!));
  return at + 6;
}

const isEscape = new Uint8Array(256);
for (const byte of Buffer.from('"\\/bfnrtu')) isEscape[byte] = 1;

/** The offset of the first byte from `at` that is not JSON white space. */
export function spaceEnd(bytes: Buffer, at: number, end: number): number {
  let p = at;
  while (p < end) {
    const byte = bytes[p];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
    p++;
  }
  return p;
}

/** Throws unless there is a byte at `at` and it `fits`. */
export function expectByte(at: number, end: number, fits: boolean): void {
  if (at >= end) throw new JsonFault("truncated", end);
  if (!fits) throw new JsonFault("malformed", at);
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function isHexDigit(byte: number): boolean {
  const lower = byte | 0x20;
  return isDigit(byte) || (lower >= 0x61 && lower <= 0x66);
}
