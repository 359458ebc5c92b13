/** Bounds of HTTP/2 that an operator does not set. */

/** Of a response to an HTTP/2 client: what its library is given at a time; a usual frame's size. */
export const http2PieceBytesMax = 16_384;
/**
 * HTTP/2 clients that cost work without asking for anything: streams that a client takes back, so many at once and so
 * many a second from then on; and bytes, of which an eighth must be of requests beyond so many.
 */
export const http2ResetsMax = 1_000;
export const http2ResetsPerS = 33;
export const http2IdleBytesMax = 1_048_576;
