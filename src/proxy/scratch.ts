/**
 * One buffer in which messages are put together, used again as soon as the kernel has the bytes, which is nearly always at
 * once. Saves an allocation of the message's size per request and direction.
 */

const initialBytes = 262_144;

export class Scratch {
  #buffer = Buffer.allocUnsafeSlow(initialBytes);

  /** Memory for a message; valid until the next `take`. */
  take(bytes: number): Buffer {
    return bytes > this.#buffer.length
      ? Buffer.allocUnsafeSlow(bytes)
      : this.#buffer.subarray(0, bytes);
  }

  /** A socket still refers to what was taken last: leave it to it. */
  lost(): void {
    this.#buffer = Buffer.allocUnsafeSlow(initialBytes);
  }
}
