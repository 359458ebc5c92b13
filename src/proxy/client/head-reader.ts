/** Keeps the bytes that a client has sent and nobody has read yet, and parses the head of the next request in them. */
import { CR, LF } from "../../http1/charset.ts";
import { findHeadEnd, HEAD_MALFORMED, HEAD_UNFINISHED } from "../../http1/head/head-end.ts";
import { parseRequestHead, RequestHead } from "../../http1/head/request-head.ts";
import { readRequestLine } from "../../http1/head/request-line.ts";
import type { HeadLimits } from "../../http1/limits.ts";
import { PROBLEMS } from "../../http1/problems.ts";
import type { Outcome } from "../context/outcomes.ts";
import { refused } from "../context/refused.ts";

/** More bytes have to come. */
export const headIncomplete = -1;
/** `problem` says why. */
export const headInvalid = -2;

export class HeadReader {
  readonly head = new RequestHead();
  /** After `headInvalid`. */
  problem: Outcome | undefined;
  /** An incomplete head, or what came behind the request under way. */
  #bytes: Buffer = nothing;
  /** Bytes that were searched for the end of the head. */
  #searchedBytes = 0;

  get waitingBytes(): number {
    return this.#bytes.length;
  }

  /** Whether the next bytes begin a head. */
  get isAtStart(): boolean {
    return this.#searchedBytes === 0;
  }

  /** Ends of lines before a request are skipped (RFC 9112, section 2.2). */
  add(chunk: Buffer): void {
    if (this.#bytes.length > 0) this.#bytes = Buffer.concat([this.#bytes, chunk]);
    else this.#bytes = withoutLineEnds(chunk);
  }

  /** All bytes that wait, from the head on, which are the caller's to read. */
  take(): Buffer {
    const bytes = this.#bytes;
    this.#bytes = nothing;
    return bytes;
  }

  /** What is known of a request whose head cannot be read: its first line, for the log. */
  takeUnread(limits: HeadLimits): RequestHead {
    const head = new RequestHead();
    const end = Math.min(this.#bytes.length, limits.targetBytes);
    const [line = ""] = this.#bytes.toString("latin1", 0, end).split(/\r?\n/, 1);
    this.drop();
    if (line === "") return head;
    const text = `${line}\r\n\r\n`;
    head.fields.reset(text);
    // A problem leaves the line as all that there is.
    readRequestLine(head, text, Buffer.from(text, "latin1"), 0, limits);
    return head;
  }

  drop(): void {
    this.#bytes = nothing;
    this.#searchedBytes = 0;
  }

  /**
   * @returns where the head ends in the waiting bytes, `headIncomplete` or `headInvalid`
   */
  read(limits: HeadLimits): number {
    const bytes = this.#bytes;
    const end = findHeadEnd(bytes, 0, bytes.length, this.#searchedBytes);
    if (end === HEAD_UNFINISHED && bytes.length <= limits.headBytes) {
      this.#searchedBytes = bytes.length;
      return headIncomplete;
    }
    this.#searchedBytes = 0;
    if (end === HEAD_MALFORMED) return this.#fail(PROBLEMS.unfinishedHead);
    if (end === HEAD_UNFINISHED) return this.#fail(PROBLEMS.headTooLarge);
    const text = bytes.toString("latin1", 0, end);
    const problem = parseRequestHead(text, this.head, limits, bytes);
    return problem === undefined ? end : this.#fail(problem);
  }

  #fail({ status, code, detail }: { status: number; code: string; detail: string }): number {
    this.problem = refused(status, code, detail);
    return headInvalid;
  }
}

const nothing = Buffer.alloc(0);

function withoutLineEnds(chunk: Buffer): Buffer {
  let start = 0;
  while (chunk[start] === CR || chunk[start] === LF) start += 1;
  return start === 0 ? chunk : chunk.subarray(start);
}
