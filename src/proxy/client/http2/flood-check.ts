/**
 * Whether an HTTP/2 client costs more than it asks for: by frames that are no requests (PING, SETTINGS, CONTINUATION,
 * empty ones), counted by bytes as nginx does, or by streams that it takes back (CVE-2023-44487). The libraries of the
 * runtimes have checks of their own, which differ.
 */
import { http2IdleBytesMax, http2ResetsMax, http2ResetsPerS } from "../../../http2/limits.ts";

export class FloodCheck {
  readonly #nowMs: () => number;
  #allBytes = 0;
  /** Of fields and bodies. */
  #usefulBytes = 0;
  /** Streams that may still be taken back at once. */
  #resetsLeft = http2ResetsMax;
  #resetMs: number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#resetMs = nowMs();
  }

  /** So many bytes have come. */
  isFlood(bytes: number): boolean {
    this.#allBytes += bytes;
    return this.#allBytes / 8 > this.#usefulBytes + http2IdleBytesMax;
  }

  /** @param fields of a request */
  asked(fields: readonly string[]): void {
    for (const { length } of fields) this.#usefulBytes += length;
  }

  /** So many bytes of a body have come. */
  received(bytes: number): void {
    this.#usefulBytes += bytes;
  }

  /** A stream was taken back. */
  isResetTooOften(): boolean {
    const nowMs = this.#nowMs();
    const refilled = this.#resetsLeft + ((nowMs - this.#resetMs) / 1000) * http2ResetsPerS;
    this.#resetsLeft = Math.min(http2ResetsMax, refilled) - 1;
    this.#resetMs = nowMs;
    return this.#resetsLeft < 0;
  }
}
