// Reads the chunked transfer coding (RFC 9112, section 7.1) from buffers of any size, without copying a byte.

import { CR, HEX_VALUE, LF } from "../charset.ts";
import { type ChunkedLimits, DEFAULT_CHUNKED_LIMITS } from "../limits.ts";
import { type HttpProblem, PROBLEMS } from "../problems.ts";
import { EXT_BAD, EXT_NAME_START, mayEndExtension, nextInExtension } from "./extension.ts";
import { Spans } from "./spans.ts";
import { TrailerReader } from "./trailer.ts";

const SEMICOLON = 0x3b;

// What the next byte belongs to. Bytes of the states from EXTENSION on are left out of the canonical message.
const SIZE_START = 0;
const SIZE = 1;
const SIZE_LF = 2;
const DATA = 3;
const DATA_CR = 4;
const DATA_LF = 5;
const TRAILER_START = 6;
const END_LF = 7;
const DONE = 8;
const FAILED = 9;
const EXTENSION = 10;
const TRAILER = 11;

/**
 * Reads one chunked body; `reset` prepares it for the next one. After a `feed`, and until the next one, the spans say
 * where the body's data is in that buffer (`dataSpans`), and which runs of it form, over all feeds, a canonical message
 * with the same data (`rawSpans`): without chunk extensions and trailer fields, which later readers could misread.
 * Usually that is one run of all consumed bytes, and a relay forwards the buffer as it arrived.
 *
 * Strict: a size is hexadecimal digits alone, each line ends with CRLF, extensions and trailers are well formed and
 * limited in size. White space around a size, which others allow, is rejected.
 */
export class ChunkedReader {
  done = false;
  /** Set when the body is malformed. The spans then cover what precedes the fault. */
  problem: HttpProblem | undefined = undefined;
  /** Data of the whole body so far, in bytes. */
  dataBytes = 0;
  private readonly data = new Spans();
  private readonly raw = new Spans();
  private readonly trailer = new TrailerReader();
  private readonly limits: ChunkedLimits;
  private state = SIZE_START;
  /** The size being read, then the bytes of the chunk that are still to come. */
  private size = 0;
  private sizeDigits = 0;
  private lastChunk = false;
  private extensionState = EXT_NAME_START;
  private extensionBytes = 0;
  /** Where in the buffer the current raw run starts; -1 while bytes are left out. */
  private runStart = -1;

  constructor(limits: ChunkedLimits = DEFAULT_CHUNKED_LIMITS) {
    this.limits = limits;
  }

  get dataSpanCount(): number {
    return this.data.count;
  }

  /** Pairs of start and end, `dataSpanCount` of them. Valid until the next feed, which may use another array. */
  get dataSpans(): Int32Array {
    return this.data.pairs;
  }

  get rawSpanCount(): number {
    return this.raw.count;
  }

  /** Pairs of start and end, `rawSpanCount` of them. Valid until the next feed. */
  get rawSpans(): Int32Array {
    return this.raw.pairs;
  }

  reset(): void {
    this.done = false;
    this.problem = undefined;
    this.dataBytes = 0;
    this.data.reset();
    this.raw.reset();
    this.state = SIZE_START;
    this.startChunk();
    this.lastChunk = false;
    this.trailer.reset();
  }

  /**
   * Reads bytes[start, end) and returns where it stopped: at `end` while the body continues, just after the body when
   * it is done, at the first wrong byte when there is a problem. A reader that is done or has failed consumes nothing.
   */
  feed(bytes: Uint8Array, start: number, end: number): number {
    this.data.count = 0;
    this.raw.count = 0;
    this.runStart = this.state < EXTENSION ? start : -1;
    let at = start;
    while (at < end && this.state !== DONE && this.state !== FAILED) {
      at = this.state === DATA ? this.readData(at, end) : this.readByte(bytes[at]!, at);
    }
    if (this.runStart >= 0) this.raw.add(this.runStart, at);
    return at;
  }

  private readData(at: number, end: number): number {
    const length = Math.min(this.size, end - at);
    this.data.add(at, at + length);
    this.dataBytes += length;
    this.size -= length;
    if (this.size === 0) this.state = DATA_CR;
    return at + length;
  }

  /** Takes the byte at `at` and returns the offset of the next one, or `at` again when the byte is wrong. */
  private readByte(code: number, at: number): number {
    let problem: HttpProblem | undefined;
    switch (this.state) {
      case SIZE_START:
      case SIZE:
        problem = this.readSize(code, at);
        break;
      case SIZE_LF:
        problem = this.endLine(code, this.lastChunk ? TRAILER_START : DATA);
        break;
      case EXTENSION:
        problem = this.readExtension(code, at);
        break;
      case DATA_CR:
        if (code === CR) this.state = DATA_LF;
        else problem = PROBLEMS.badChunkEnd;
        break;
      case DATA_LF:
        problem = this.endLine(code, SIZE_START);
        this.startChunk();
        break;
      case END_LF:
        problem = this.endLine(code, DONE);
        this.done = problem === undefined;
        break;
      default:
        problem = this.readTrailer(code, at);
    }
    if (problem === undefined) return at + 1;
    this.problem = problem;
    this.state = FAILED;
    return at;
  }

  private startChunk(): void {
    this.size = 0;
    this.sizeDigits = 0;
    this.extensionBytes = 0;
  }

  private endLine(code: number, next: number): HttpProblem | undefined {
    if (code !== LF) return PROBLEMS.badChunkEnd;
    this.state = next;
    return undefined;
  }

  private readSize(code: number, at: number): HttpProblem | undefined {
    const digit = HEX_VALUE[code]!;
    if (digit >= 0) {
      this.size = this.size * 16 + digit;
      this.state = SIZE;
      const tooLong = ++this.sizeDigits > this.limits.sizeDigits;
      return tooLong || this.size > Number.MAX_SAFE_INTEGER ? PROBLEMS.badChunkSize : undefined;
    }
    if (this.state === SIZE_START || (code !== CR && code !== SEMICOLON)) {
      return code === LF ? PROBLEMS.badChunkEnd : PROBLEMS.badChunkSize;
    }
    this.lastChunk = this.size === 0;
    if (code === CR) {
      this.state = SIZE_LF;
    } else {
      this.leaveOutFrom(at);
      this.state = EXTENSION;
      this.extensionState = EXT_NAME_START;
      this.extensionBytes = 1;
    }
    return undefined;
  }

  private readExtension(code: number, at: number): HttpProblem | undefined {
    if (code === CR && mayEndExtension(this.extensionState)) {
      this.runStart = at;
      this.state = SIZE_LF;
      return undefined;
    }
    this.extensionState = nextInExtension(this.extensionState, code);
    if (this.extensionState === EXT_BAD) return PROBLEMS.badChunkExtension;
    const tooLong = ++this.extensionBytes > this.limits.extensionBytes;
    return tooLong ? PROBLEMS.chunkExtensionTooLong : undefined;
  }

  private readTrailer(code: number, at: number): HttpProblem | undefined {
    if (code === CR && this.trailer.atLineStart) {
      if (this.runStart < 0) this.runStart = at;
      this.state = END_LF;
      return undefined;
    }
    this.leaveOutFrom(at);
    const problem = this.trailer.take(code, this.limits.trailerBytes);
    this.state = this.trailer.atLineStart ? TRAILER_START : TRAILER;
    return problem;
  }

  /** Ends the current raw run before `at`. */
  private leaveOutFrom(at: number): void {
    if (this.runStart >= 0) this.raw.add(this.runStart, at);
    this.runStart = -1;
  }
}
