// Character classes of RFC 9110, 9112 and 3986 as one table: a scan costs one load and one test per byte.

/** tchar of RFC 9110, section 5.6.2. */
export const IS_TOKEN = 1;
/** Characters of a field value: HTAB, SP, visible ASCII, obs-text (RFC 9110, section 5.5). */
export const IS_VALUE = 2;
/**
 * Of a target's path: visible ASCII without "?", "#", and the backslash, which some read as a slash; and the bytes of
 * UTF-8 that a client has not encoded.
 */
export const IS_PATH = 4;
/** As IS_PATH with "?" and backslash: browsers send the latter unencoded in a query. */
export const IS_QUERY = 8;
/** Letters that a method may have: upper case, hyphen, underscore; every registered method fits. */
export const IS_METHOD = 16;
/** Characters of a registered host name, without percent-encoding and sub-delimiters. */
export const IS_HOST = 32;
export const IS_DIGIT = 64;
export const IS_HEX = 128;

export const HTAB = 9;
export const LF = 10;
export const CR = 13;
export const SP = 32;

export const CLASS: Uint8Array = new Uint8Array(256);
/** The same byte with A to Z as a to z. */
export const LOWER: Uint8Array = new Uint8Array(256);
/** Value of a hexadecimal digit, or -1. */
export const HEX_VALUE: Int8Array = new Int8Array(256);

const TOKEN_PUNCTUATION = "!#$%&'*+-.^_`|~";

function classOf(code: number): number {
  const char = String.fromCharCode(code);
  const digit = /[0-9]/.test(char);
  const alphanumeric = digit || /[A-Za-z]/.test(char);
  const visible = code > SP && code < 0x7f;
  const target = (visible && char !== "#") || code >= 0x80;
  return (
    (alphanumeric || TOKEN_PUNCTUATION.includes(char) ? IS_TOKEN : 0) |
    (visible || code === SP || code === HTAB || code >= 0x80 ? IS_VALUE : 0) |
    (target && char !== "?" && char !== "\\" ? IS_PATH : 0) |
    (target ? IS_QUERY : 0) |
    (/[A-Z_-]/.test(char) ? IS_METHOD : 0) |
    (alphanumeric || "-._".includes(char) ? IS_HOST : 0) |
    (digit ? IS_DIGIT : 0) |
    (/[0-9A-Fa-f]/.test(char) ? IS_HEX : 0)
  );
}

for (let code = 0; code < 256; code++) {
  const char = String.fromCharCode(code);
  CLASS[code] = classOf(code);
  LOWER[code] = code >= 0x41 && code <= 0x5a ? code + 32 : code;
  HEX_VALUE[code] = /[0-9A-Fa-f]/.test(char) ? Number.parseInt(char, 16) : -1;
}

/** Whether bytes[start, end) equal `lower`, ignoring the case of letters. `lower` is ASCII in lower case. */
export function equalsIgnoringCase(
  bytes: Uint8Array,
  start: number,
  end: number,
  lower: string,
): boolean {
  if (end - start !== lower.length) return false;
  for (let i = 0; i < lower.length; i++) {
    if (LOWER[bytes[start + i]!] !== lower.charCodeAt(i)) return false;
  }
  return true;
}

/** Whether the bytes at `at` are `ascii`, in the same case. */
export function isAscii(bytes: Uint8Array, at: number, ascii: string): boolean {
  for (let i = 0; i < ascii.length; i++) {
    if (bytes[at + i] !== ascii.charCodeAt(i)) return false;
  }
  return true;
}
