// Reads the chunked transfer coding (RFC 9112, section 7.1) from buffers of any size, without copying a byte.
import { CLASS, CR, HEX_VALUE, IS_TOKEN, IS_VALUE, LF } from "./charset.js";
import { EXT_BAD, EXT_NAME_START, mayEndExtension, nextInExtension } from "./chunk-extension.js";
import { DEFAULT_CHUNKED_LIMITS } from "./limits.js";
import { PROBLEMS } from "./problems.js";
import { Spans } from "./spans.js";

const COLON = 0x3a;
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
const TRAILER_NAME = 11;
const TRAILER_VALUE = 12;
const TRAILER_LF = 13;
/**
 * Reads one chunked body; `reset` makes it ready for the next one. After a `feed` the spans say where in the buffer that
 * was fed, and until the next feed, the body's data is (`dataSpans`), and which runs of it make up, over all feeds, a
 * canonical message with the same data (`rawSpans`): without chunk extensions and trailer fields, which no later reader
 * can then misread. Usually that is one run, all that was consumed, and a relay sends the buffer on as it came.
 *
 * Strict: a size is hexadecimal digits alone, each line ends with CRLF, extensions and trailers are well formed and
 * bounded. White space around a size, which others let pass, is refused.
 */
export class ChunkedReader {
  done = false;
  /** Set when the body is malformed. The spans then cover what came before the fault. */
  problem = undefined;
  /** Data of the whole body so far, in bytes. */
  dataBytes = 0;
  data = new Spans();
  raw = new Spans();
  limits;
  state = SIZE_START;
  /** The size being read, then the bytes of the chunk that are still to come. */
  size = 0;
  sizeDigits = 0;
  lastChunk = false;
  extensionPlace = EXT_NAME_START;
  extensionBytes = 0;
  trailerBytes = 0;
  /** Where in the buffer the run of bytes that stay begins; -1 while bytes are left out. */
  runStart = -1;
  constructor(limits = DEFAULT_CHUNKED_LIMITS) {
    this.limits = limits;
  }
  get dataSpanCount() {
    return this.data.count;
  }
  /** Pairs of start and end, `dataSpanCount` of them. Not to be kept: the next feed may use another array. */
  get dataSpans() {
    return this.data.pairs;
  }
  get rawSpanCount() {
    return this.raw.count;
  }
  /** Pairs of start and end, `rawSpanCount` of them. Not to be kept either. */
  get rawSpans() {
    return this.raw.pairs;
  }
  reset() {
    this.done = false;
    this.problem = undefined;
    this.dataBytes = 0;
    this.data.reset();
    this.raw.reset();
    this.state = SIZE_START;
    this.startChunk();
    this.lastChunk = false;
    this.trailerBytes = 0;
  }
  /**
   * Reads bytes[start, end) and returns how far: `end` while the body goes on, just after it when it is done, at the
   * first wrong byte when there is a problem. A reader that is done or has failed consumes nothing.
   */
  feed(bytes, start, end) {
    this.data.count = 0;
    this.raw.count = 0;
    this.runStart = this.state < EXTENSION ? start : -1;
    let at = start;
    while (at < end && this.state !== DONE && this.state !== FAILED) {
      at = this.state === DATA ? this.readData(at, end) : this.readByte(bytes[at], at);
    }
    if (this.runStart >= 0) this.raw.add(this.runStart, at);
    return at;
  }
  readData(at, end) {
    const length = Math.min(this.size, end - at);
    this.data.add(at, at + length);
    this.dataBytes += length;
    this.size -= length;
    if (this.size === 0) this.state = DATA_CR;
    return at + length;
  }
  /** Takes the byte at `at` and returns the offset of the next one, or `at` again when the byte is wrong. */
  readByte(code, at) {
    let problem;
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
  startChunk() {
    this.size = 0;
    this.sizeDigits = 0;
    this.extensionBytes = 0;
  }
  endLine(code, next) {
    if (code !== LF) return PROBLEMS.badChunkEnd;
    this.state = next;
    return undefined;
  }
  readSize(code, at) {
    const digit = HEX_VALUE[code];
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
      this.extensionPlace = EXT_NAME_START;
      this.extensionBytes = 1;
    }
    return undefined;
  }
  readExtension(code, at) {
    if (code === CR && mayEndExtension(this.extensionPlace)) {
      this.runStart = at;
      this.state = SIZE_LF;
      return undefined;
    }
    this.extensionPlace = nextInExtension(this.extensionPlace, code);
    if (this.extensionPlace === EXT_BAD) return PROBLEMS.badChunkExtension;
    const tooLong = ++this.extensionBytes > this.limits.extensionBytes;
    return tooLong ? PROBLEMS.chunkExtensionTooLong : undefined;
  }
  readTrailer(code, at) {
    if (this.state === TRAILER_START && code === CR) {
      if (this.runStart < 0) this.runStart = at;
      this.state = END_LF;
      return undefined;
    }
    if (++this.trailerBytes > this.limits.trailerBytes) return PROBLEMS.trailerTooLarge;
    switch (this.state) {
      case TRAILER_START:
        if ((CLASS[code] & IS_TOKEN) === 0) return PROBLEMS.badTrailer;
        this.leaveOutFrom(at);
        this.state = TRAILER_NAME;
        return undefined;
      case TRAILER_NAME:
        if (code === COLON) this.state = TRAILER_VALUE;
        else if ((CLASS[code] & IS_TOKEN) === 0) return PROBLEMS.badTrailer;
        return undefined;
      case TRAILER_VALUE:
        if (code === CR) this.state = TRAILER_LF;
        else if ((CLASS[code] & IS_VALUE) === 0) return PROBLEMS.badTrailer;
        return undefined;
      default:
        return code === LF ? this.endLine(code, TRAILER_START) : PROBLEMS.badTrailer;
    }
  }
  /** Ends the run of bytes that stay before `at`. */
  leaveOutFrom(at) {
    if (this.runStart >= 0) this.raw.add(this.runStart, at);
    this.runStart = -1;
  }
}
//# sourceMappingURL=chunked.js.map
