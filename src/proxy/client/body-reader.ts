/** Collects the body of a request as it arrives, within the route's bound and the worker's. */
import { ChunkedReader } from "../../http1/chunked/chunked-reader.ts";
import type { RequestHead } from "../../http1/head/request-head.ts";
import { type Outcome, outcomes } from "../context/outcomes.ts";
import { BodyAssembly } from "./body-assembly.ts";
import type { BodyBudget } from "./body-budget.ts";

export class BodyReader {
  /** The whole body has come. */
  isComplete = false;
  /** Why the body cannot be taken. */
  problem: Outcome | undefined;
  readonly #budget: BodyBudget;
  #chunked: ChunkedReader | undefined;
  #isChunked = false;
  /** -1 = chunked. */
  #contentLength = 0;
  #bytesMax = 0;
  readonly #assembly = new BodyAssembly();

  constructor(budget: BodyBudget) {
    this.#budget = budget;
  }

  /** A head was parsed whose body follows. */
  start({ chunked, contentLength }: RequestHead, bytesMax: number): void {
    this.isComplete = false;
    this.problem = undefined;
    this.#bytesMax = bytesMax;
    this.#isChunked = chunked;
    this.#contentLength = contentLength;
    if (!chunked) return;
    this.#chunked ??= new ChunkedReader();
    this.#chunked.reset();
  }

  /** @returns where in the chunk the bytes of the body end; sets `isComplete` or `problem` */
  read(chunk: Buffer, start: number): number {
    if (this.#isChunked) return this.#readChunked(this.#chunked!, chunk, start);
    const end = Math.min(chunk.length, start + this.#contentLength - this.#assembly.bytes);
    this.#add(chunk, start, end);
    this.isComplete = this.#assembly.bytes === this.#contentLength;
    return end;
  }

  /** The body in one piece. Its bytes stay in the budget until the request gives them back. */
  take(): Buffer {
    return this.#assembly.take();
  }

  /** Nobody needs what has come. */
  drop(): void {
    this.#budget.giveBack(this.#assembly.bytes);
    this.#assembly.drop();
  }

  #readChunked(reader: ChunkedReader, chunk: Buffer, start: number): number {
    const end = reader.feed(chunk, start, chunk.length);
    if (reader.problem !== undefined) {
      this.problem = { ...outcomes.badChunk, message: reader.problem.detail };
      return end;
    }
    const { dataSpans, dataSpanCount } = reader;
    for (let i = 0; i < dataSpanCount && this.problem === undefined; i += 1) {
      this.#add(chunk, dataSpans[2 * i]!, dataSpans[2 * i + 1]!);
    }
    this.isComplete = reader.done;
    return end;
  }

  #add(chunk: Buffer, start: number, end: number): void {
    const bytes = end - start;
    if (this.#assembly.bytes + bytes > this.#bytesMax) this.problem = outcomes.bodyTooLarge;
    else if (!this.#budget.take(bytes)) this.problem = outcomes.bodiesFull;
    else {
      this.#assembly.add(chunk, start, end, this.#isChunked ? this.#bytesMax : this.#contentLength);
    }
  }
}
