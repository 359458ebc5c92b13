// The bounds of one HTTP/1.1 message, as the parsers take them, with the values used when nobody sets others.
export const DEFAULT_HEAD_LIMITS = Object.freeze({
  headBytes: 32_768,
  fieldCount: 128,
  targetBytes: 8_192,
});
export const DEFAULT_CHUNKED_LIMITS = Object.freeze({
  extensionBytes: 256,
  trailerBytes: 8_192,
  sizeDigits: 16,
});
/** Unknown names in Connection headers: each is compared with each unknown field when lines are forwarded. */
export const NOMINATED_FIELDS_MAX = 32;
/** Bytes of a method; RFC 9112, section 3, asks for 501 beyond the longest one that is known. */
export const METHOD_BYTES_MAX = 32;
//# sourceMappingURL=limits.js.map
