/**
 * A response body of unknown length that may be changed on its way: its data without framing is held back, filtered and
 * framed again.
 */

import type { ResponseFilter } from "../../../dialects/dialect.ts";
import { EventFilter } from "./event-filter.ts";
import type { FramedBody } from "./framed-body.ts";

/** Where the body goes. */
export interface BodySink {
  /** Data, to be framed. */
  data(parts: readonly Buffer[]): void;
  /** Bytes in the chunks that they came in. */
  chunks(chunk: Buffer, start: number, end: number): void;
}

const lineFeed = 0x0a;

export class FilteredBody {
  readonly #sink: BodySink;
  readonly isEvents: boolean;
  /** Whether the engine's own chunks may go on where nothing in them is changed. */
  keepsChunks: boolean;
  /** What has come before it is known how it is to be changed. */
  #buffered: Buffer[] = [];
  #bufferedBytes = 0;
  #isBuffered = true;
  #events: EventFilter | undefined;
  /** What has come so far ends with a chunk. */
  #isBetweenChunks = true;

  constructor(sink: BodySink, isEvents: boolean, keepsChunks: boolean) {
    this.#sink = sink;
    this.isEvents = isEvents;
    this.keepsChunks = keepsChunks;
  }

  /** The engine has given the request up: the client has what came before that. */
  isUnfinished = false;

  get bufferedBytes(): number {
    return this.#bufferedBytes + (this.#events?.waitingBytes ?? 0);
  }

  /** Whether events wait for the prefill's response. */
  get awaitsPrefill(): boolean {
    return (this.#events?.waitingBytes ?? 0) > 0;
  }

  prefillCame(): void {
    const out: Buffer[] = [];
    this.#events?.prefillCame(out);
    this.#put(out);
  }

  /** The JSON of a body that has come whole, and is held back. */
  get json(): Buffer {
    return Buffer.concat(this.#buffered);
  }

  add(source: FramedBody, chunk: Buffer, start: number, end: number): void {
    const { reader, head } = source;
    const out: Buffer[] = this.#isBuffered ? this.#buffered : [];
    if (head.framing !== "chunked") this.#addData(chunk, start, end, out);
    else {
      const begins = this.#isBetweenChunks;
      const { dataSpans, dataSpanCount } = reader;
      this.#isBetweenChunks = dataSpanCount > 0 && dataSpans[2 * dataSpanCount - 1]! + 2 === end;
      if (begins && this.#passesWhole(source, chunk, start, end)) {
        this.#sink.chunks(chunk, start, end);
        return;
      }
      for (let i = 0; i < dataSpanCount; i += 1)
        this.#addData(chunk, dataSpans[2 * i]!, dataSpans[2 * i + 1]!, out);
    }
    if (!this.#isBuffered) this.#put(out);
  }

  /** From now on bytes go out. A whole body that is no event stream is changed as one JSON text. */
  release(filter: ResponseFilter | undefined, isWhole: boolean): void {
    const buffered = this.#buffered;
    this.#isBuffered = false;
    this.#buffered = [];
    this.#bufferedBytes = 0;
    if (filter === undefined || buffered.length === 0 || this.isEvents) {
      if (filter !== undefined && this.isEvents) this.#events = new EventFilter(filter);
      const out: Buffer[] = [];
      for (const part of buffered) this.#addData(part, 0, part.length, out);
      this.#put(out);
      return;
    }
    if (isWhole) {
      const json = buffered.length === 1 ? buffered[0]! : Buffer.concat(buffered);
      const changed = filter.concerns(json, 0, json.length) ? filter.change(json) : undefined;
      if (changed === "unfinished") this.isUnfinished = true;
      else this.#sink.data([typeof changed === "string" ? json : (changed ?? json)]);
    } else this.#sink.data(buffered);
  }

  /** The response is complete. */
  end(): void {
    const out: Buffer[] = [];
    this.#events?.end(out);
    this.#put(out);
  }

  #put(out: readonly Buffer[]): void {
    if (out.length > 0) this.#sink.data(out);
    if (this.#events?.isUnfinished) this.isUnfinished = true;
  }

  #addData(chunk: Buffer, start: number, end: number, out: Buffer[]): void {
    if (start === end) return;
    if (this.#isBuffered) this.#bufferedBytes += end - start;
    if (this.#events === undefined) out.push(chunk.subarray(start, end));
    else this.#events.feed(chunk, start, end, out);
  }

  /** Whether these are whole chunks of whole events, none of which is to be changed: nearly all of a stream. */
  #passesWhole({ reader }: FramedBody, chunk: Buffer, start: number, end: number): boolean {
    const events = this.#events;
    if (events === undefined || !this.keepsChunks || !this.#isBetweenChunks) return false;
    const { dataSpans, dataSpanCount, rawSpans, rawSpanCount } = reader;
    if (rawSpanCount !== 1 || rawSpans[0] !== start || rawSpans[1] !== end) return false;
    for (let i = 0; i < dataSpanCount; i += 1) {
      const to = dataSpans[2 * i + 1]!;
      if (to - dataSpans[2 * i]! < 2) return false;
      if (chunk[to - 1] !== lineFeed || chunk[to - 2] !== lineFeed) return false;
    }
    return events.passesWhole(chunk, start, end);
  }
}
