/**
 * One buffer in which messages are put together, used again as soon as the kernel has the bytes, which is nearly always
 * at once. Saves an allocation of the message's size per request and direction.
 */

const initialBytes = 262_144;

/** Both runtimes have the method, their types do not; `write` with an encoding costs more. */
type Latin1Buffer = Buffer & { latin1Write(text: string, at: number): number };

export class Scratch {
  #buffer = Buffer.allocUnsafeSlow(initialBytes);

  /**
   * Memory for a message, at least so many bytes; valid until the next `take`.
   * @param willWait the socket cannot send yet, and will refer to the memory: it gets as much as the message has
   */
  take(bytes: number, willWait: boolean): Buffer {
    const isOwn = willWait || bytes > this.#buffer.length;
    return isOwn ? Buffer.allocUnsafeSlow(bytes) : this.#buffer;
  }

  /** A socket still refers to what was taken: leave it to it. */
  lost(taken: Buffer): void {
    if (taken === this.#buffer) this.#buffer = Buffer.allocUnsafeSlow(initialBytes);
  }
}

/** Writes a head, one byte per character, to the start of the memory. */
export function writeHead(out: Buffer, head: string): void {
  (out as Latin1Buffer).latin1Write(head, 0);
}
