// The limits of one HTTP/1.1 message, as the parsers take them, and their defaults.

export type HeadLimits = {
  /** Bytes of a whole head with its blank line; also the most that a connection buffers of an unfinished one. */
  readonly headBytes: number;
  /** Field lines in one head. */
  readonly fieldCount: number;
  /** Bytes of the request target as sent. */
  readonly targetBytes: number;
  /**
   * Lines do not count whose name has other characters: only letters, digits and hyphens, or underscores as well.
   * Undefined = all lines count.
   */
  readonly names?: "plain" | "with-underscores";
};

export const DEFAULT_HEAD_LIMITS: HeadLimits = Object.freeze({
  headBytes: 32_768,
  fieldCount: 128,
  targetBytes: 8_192,
});

export type ChunkedLimits = {
  /** Bytes between a chunk's size and its line end. */
  readonly extensionBytes: number;
  /** Bytes of all trailer lines together. */
  readonly trailerBytes: number;
  /** Hexadecimal digits of a chunk size, leading zeros included. */
  readonly sizeDigits: number;
};

export const DEFAULT_CHUNKED_LIMITS: ChunkedLimits = Object.freeze({
  extensionBytes: 256,
  trailerBytes: 8_192,
  sizeDigits: 16,
});

/** Unknown names in Connection headers: each is compared with each unknown field when lines are forwarded. */
export const NOMINATED_FIELDS_MAX = 32;

/** Bytes of a method; for longer ones RFC 9112, section 3, requires 501. */
export const METHOD_BYTES_MAX = 32;
