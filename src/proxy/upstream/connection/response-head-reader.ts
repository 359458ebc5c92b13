/**
 * Reads the head of an engine's response from bytes that are cut anywhere. Heads of interim responses (1xx) are
 * skipped.
 */
import { findHeadEnd, HEAD_MALFORMED, HEAD_UNFINISHED } from "../../../http1/head/head-end.ts";
import { parseResponseHead, ResponseHead } from "../../../http1/head/response-head.ts";
import { responseHeadBytesMax } from "../../../limits.ts";

/** More bytes have to come. */
export const headIncomplete = -1;
/** `problem` says why. */
export const headInvalid = -2;

const limits = { headBytes: responseHeadBytesMax, fieldCount: 256, targetBytes: 0 } as const;
const nothing = Buffer.alloc(0);

export class ResponseHeadReader {
  readonly head = new ResponseHead();
  /** After `headInvalid`. */
  problem = "";
  /** A head that has not arrived in full; after a complete one, all bytes from its start on. */
  #bytes: Buffer = nothing;

  /** Another response is expected. */
  reset(): void {
    this.#bytes = nothing;
  }

  /** The bytes in which `read` has found the end of the head. */
  take(): Buffer {
    const bytes = this.#bytes;
    this.#bytes = nothing;
    return bytes;
  }

  /**
   * @param method of the request: it decides about the body
   * @param mayUpgrade the request asks for another protocol: a 101 ends HTTP on this connection
   * @returns where the head ends in the bytes that `take` gives, `headIncomplete` or `headInvalid`
   */
  read(chunk: Buffer, method: string, mayUpgrade: boolean): number {
    const searchedBytes = this.#bytes.length;
    const bytes = searchedBytes === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    let start = 0;
    for (;;) {
      const end = findHeadEnd(bytes, start, bytes.length, Math.max(start, searchedBytes));
      if (end === HEAD_UNFINISHED && bytes.length - start <= responseHeadBytesMax) {
        this.#bytes = start === 0 ? bytes : bytes.subarray(start);
        return headIncomplete;
      }
      if (end === HEAD_MALFORMED || end === HEAD_UNFINISHED) {
        this.problem = "malformed or oversized head";
        return headInvalid;
      }
      if (!this.#parse(bytes, start, end, method, mayUpgrade)) return headInvalid;
      start = end;
      if (this.head.status >= 200 || this.head.status === 101) break;
    }
    this.#bytes = bytes;
    return start;
  }

  #parse(bytes: Buffer, start: number, end: number, method: string, mayUpgrade: boolean): boolean {
    const text = bytes.toString("latin1", start, end);
    const whole = start === 0 ? bytes : undefined;
    const problem = parseResponseHead(text, this.head, method, limits, whole);
    if (problem === undefined && this.head.status !== 101) return true;
    if (problem === undefined && mayUpgrade) {
      // What follows has no framing that is known here.
      this.head.framing = "close";
      this.head.keepAlive = false;
      return true;
    }
    this.problem = problem?.detail ?? "protocol switch that nobody asked for";
    return false;
  }
}
