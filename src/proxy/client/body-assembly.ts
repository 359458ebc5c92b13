/**
 * Puts the pieces of a body together as they come, so that it stands in memory about once. Memory is reserved for a
 * multiple of what has come: pages that were never written take none, and a client that announces a large body and
 * sends little reserves little.
 */
import { bodyReserveFactor, bodyUnassembledBytesMax } from "../../limits.ts";

export class BodyAssembly {
  /** What came first; most bodies are no larger than one read, and are never copied. */
  #parts: Buffer[] = [];
  #whole: Buffer | undefined;
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** @param bytesMax that the body can have: its length where it is known */
  add(chunk: Buffer, start: number, end: number, bytesMax: number): void {
    const bytes = this.#bytes + end - start;
    if (this.#whole === undefined && bytes <= bodyUnassembledBytesMax) {
      this.#parts.push(start === 0 && end === chunk.length ? chunk : chunk.subarray(start, end));
    } else {
      if (bytes > (this.#whole?.length ?? 0)) this.#reserve(bytes, bytesMax);
      chunk.copy(this.#whole!, this.#bytes, start, end);
    }
    this.#bytes = bytes;
  }

  /** The body in one piece. The next one starts empty. */
  take(): Buffer {
    const parts = this.#parts;
    const whole =
      this.#whole?.subarray(0, this.#bytes) ??
      (parts.length === 1 ? parts[0]! : Buffer.concat(parts, this.#bytes));
    this.drop();
    return whole;
  }

  drop(): void {
    if (this.#parts.length > 0) this.#parts = [];
    this.#whole = undefined;
    this.#bytes = 0;
  }

  #reserve(bytes: number, bytesMax: number): void {
    const whole = Buffer.allocUnsafeSlow(Math.min(bytes * bodyReserveFactor, bytesMax));
    let at = 0;
    for (const part of this.#whole === undefined ? this.#parts : [this.#whole]) {
      at += part.copy(whole, at, 0, this.#bytes - at);
    }
    this.#parts = [];
    this.#whole = whole;
  }
}
