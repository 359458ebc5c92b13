/** The body of an engine's response without its framing, collected for the dialect to read. */
import { prefillResponseBytesMax } from "../../../limits.ts";
import type { FramedBody } from "./framed-body.ts";

export class CollectedBody {
  #parts: Buffer[] = [];
  #bytes = 0;

  /** Adds bytes of the body as they were framed; false when the response is larger than allowed. */
  add(source: FramedBody, chunk: Buffer, start: number, end: number): boolean {
    this.#bytes += end - start;
    if (this.#bytes > prefillResponseBytesMax) return false;
    if (source.head.framing !== "chunked") {
      this.#parts.push(chunk.subarray(start, end));
      return true;
    }
    const { dataSpans, dataSpanCount } = source.reader;
    for (let i = 0; i < dataSpanCount; i += 1) {
      this.#parts.push(chunk.subarray(dataSpans[2 * i], dataSpans[2 * i + 1]));
    }
    return true;
  }

  /** What has come so far. */
  get bytes(): Buffer {
    if (this.#parts.length !== 1) this.#parts = [Buffer.concat(this.#parts)];
    return this.#parts[0]!;
  }

  get byteLength(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  /** Leaves nothing behind. */
  take(): CollectedBody {
    const taken = new CollectedBody();
    taken.#parts = this.#parts;
    taken.#bytes = this.#bytes;
    this.#parts = [];
    this.#bytes = 0;
    return taken;
  }

  clear(): void {
    if (this.#parts.length > 0) this.#parts = [];
    this.#bytes = 0;
  }
}
