/** The body of an engine's response without its framing, collected for the dialect to read. */
import { prefillResponseBytesMax } from "../../../limits.ts";
import { append, emptyList } from "../../context/append.ts";
import type { FramedBody } from "./framed-body.ts";

export class CollectedBody {
  #parts: readonly Buffer[] = emptyList;
  #bytes = 0;

  /** Adds bytes of the body as they were framed; false when the response is larger than allowed. */
  add(source: FramedBody, chunk: Buffer, start: number, end: number): boolean {
    this.#bytes += end - start;
    if (this.#bytes > prefillResponseBytesMax) return false;
    if (source.head.framing !== "chunked") {
      this.#parts = append(this.#parts, chunk.subarray(start, end));
      return true;
    }
    const { dataSpans, dataSpanCount } = source.reader;
    for (let i = 0; i < dataSpanCount; i += 1) {
      const part = chunk.subarray(dataSpans[2 * i], dataSpans[2 * i + 1]);
      this.#parts = append(this.#parts, part);
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
    this.clear();
    return taken;
  }

  clear(): void {
    this.#parts = emptyList;
    this.#bytes = 0;
  }
}
