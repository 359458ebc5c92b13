/** The prefill engine's answer, collected until it is complete: the hand-off is taken out of it. */
import { prefillAnswerBytesMax } from "../limits.ts";
import type { EngineConnection } from "./engine-connection.ts";

export class PrefillAnswer {
  #parts: Buffer[] = [];
  #bytes = 0;

  /** Adds bytes of the body as they were framed; false when the answer is larger than allowed. */
  add(connection: EngineConnection, chunk: Buffer, start: number, end: number): boolean {
    this.#bytes += end - start;
    if (this.#bytes > prefillAnswerBytesMax) return false;
    if (connection.head.framing !== "chunked") {
      this.#parts.push(chunk.subarray(start, end));
      return true;
    }
    const { dataSpans, dataSpanCount } = connection.reader;
    for (let i = 0; i < dataSpanCount; i += 1) {
      this.#parts.push(chunk.subarray(dataSpans[2 * i], dataSpans[2 * i + 1]));
    }
    return true;
  }

  /** The whole body; nothing is kept. */
  take(): Buffer {
    const parts = this.#parts;
    this.clear();
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  clear(): void {
    if (this.#parts.length > 0) this.#parts = [];
    this.#bytes = 0;
  }
}
