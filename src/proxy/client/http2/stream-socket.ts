/**
 * One stream of an HTTP/2 connection as a socket on which HTTP/1.1 is spoken: what the client sends comes as the text
 * of a request, and what is written to it, a response, leaves as fields and data.
 */
import type { ServerHttp2Stream } from "node:http2";
import { ChunkedReader } from "../../../http1/chunked/chunked-reader.ts";
import { findHeadEnd, HEAD_UNFINISHED } from "../../../http1/head/head-end.ts";
import { parseResponseHead, ResponseHead } from "../../../http1/head/response-head.ts";
import { http2PieceBytesMax } from "../../../http2/limits.ts";
import type { RequestText } from "../../../http2/request-text.ts";
import { responseFields } from "../../../http2/response-fields.ts";
import { noHandler, type Socket, type SocketHandler } from "../../../transport/socket.ts";
import type { TlsSession } from "../../../transport/tls/session.ts";

/** RFC 9113, section 7. */
const errors = { none: 0, protocol: 1, internal: 2 } as const;

/** What a stream has of its connection. */
export interface StreamOwner {
  readonly socket: Socket;
  /** So many bytes of a body have come. */
  received(bytes: number): void;
  /** The client has reset the stream. */
  takenBack(): void;
}

export class StreamSocket implements Socket {
  handler: SocketHandler = noHandler;
  readonly copies = true;
  readonly #stream: ServerHttp2Stream;
  readonly #owner: StreamOwner;
  #method = "GET";
  /** Of the request: bytes of its body so far, those that were announced, and whether all have come. */
  #bodyBytes = 0;
  #announcedBytes = -1;
  #isChunked = false;
  #isRequestRead = false;
  /** Of the response; of its head, what has come of an incomplete one. */
  #unread: Buffer = Buffer.alloc(0);
  readonly #head = new ResponseHead();
  #chunks: ChunkedReader | undefined;
  #state: "head" | "body" | "complete" | "closed" = "head";
  #remaining = 0;
  /** What waits for what the library has in hand. */
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #inHandBytes = 0;
  #hasPending = false;

  constructor(stream: ServerHttp2Stream, owner: StreamOwner) {
    this.#stream = stream;
    this.#owner = owner;
    stream.on("close", () => {
      if (this.#state !== "closed" && stream.rstCode) owner.takenBack();
      this.#state = "closed";
      this.#queue = [];
      this.#queuedBytes = 0;
      this.#inHandBytes = 0;
      this.handler.onClose(undefined);
    });
  }

  /** @param request undefined = it is refused, and its body of no interest */
  start(request: RequestText | undefined): void {
    const stream = this.#stream;
    if (request === undefined) {
      stream.resume();
      return;
    }
    const { text, method, contentLength, isChunked } = request;
    this.#method = method;
    this.#announcedBytes = contentLength;
    this.#isChunked = isChunked;
    stream.on("data", (chunk: Buffer) => this.#received(chunk));
    stream.on("end", () => this.#ended());
    this.handler.onData(Buffer.from(text, "latin1"));
  }

  #received(chunk: Buffer): void {
    this.#owner.received(chunk.length);
    this.#bodyBytes += chunk.length;
    if (chunk.length === 0) return;
    if (!this.#isChunked) {
      // Bytes behind the body would be taken for another request.
      if (this.#bodyBytes > Math.max(0, this.#announcedBytes)) this.#close(errors.protocol);
      else this.handler.onData(chunk);
      return;
    }
    this.handler.onData(Buffer.from(`${chunk.length.toString(16)}\r\n`, "latin1"));
    this.handler.onData(chunk);
    this.handler.onData(lineEnd);
  }

  #ended(): void {
    const { aborted, rstCode, destroyed } = this.#stream;
    // A stream that was reset ends, too.
    if (aborted || destroyed || rstCode || this.#state === "closed") return;
    this.#isRequestRead = true;
    if (this.#isChunked) this.handler.onData(lastChunk);
    else if (this.#bodyBytes !== Math.max(0, this.#announcedBytes)) this.#close(errors.protocol);
  }

  // ---- What the response does ----

  write(chunk: Buffer, start = 0, end = chunk.length): void {
    if (this.#state === "head") this.#readHeads(chunk, start, end);
    else if (this.#state === "body") this.#readBody(chunk, start, end);
    this.#pump();
    this.#hasPending ||= this.pendingBytes > 0;
  }

  /** Most often there is one, in one piece, and the body begins in the same. */
  #readHeads(part: Buffer, partStart: number, partEnd: number): void {
    const isFirst = this.#unread.length === 0;
    const chunk = isFirst ? part : Buffer.concat([this.#unread, part.subarray(partStart, partEnd)]);
    const end = isFirst ? partEnd : chunk.length;
    let at = isFirst ? partStart : 0;
    while (at < end && this.#state === "head") {
      const headEnd = findHeadEnd(chunk, at, end);
      if (headEnd === HEAD_UNFINISHED) {
        this.#unread = Buffer.from(chunk.subarray(at, end));
        return;
      }
      at = headEnd < 0 ? end : this.#readHead(chunk, at, headEnd);
      if (headEnd < 0) this.#close(errors.internal);
    }
    if (at < end && this.#state === "body") this.#readBody(chunk, at, end);
  }

  /** @returns where it ends */
  #readHead(chunk: Buffer, start: number, headEnd: number): number {
    const head = this.#head;
    const text = chunk.toString("latin1", start, headEnd);
    if (parseResponseHead(text, head, this.#method, headLimits) !== undefined) {
      this.#close(errors.internal);
      return headEnd;
    }
    if (head.status < 200) {
      if (head.status !== 101) this.#respond(false);
      return headEnd;
    }
    this.#remaining = head.contentLength;
    const isBodiless =
      head.framing === "none" || (head.framing === "length" && this.#remaining === 0);
    this.#state = isBodiless ? "complete" : "body";
    if (head.framing === "chunked") this.#chunks = new ChunkedReader();
    this.#respond(isBodiless);
    if (isBodiless) this.#finished();
    return headEnd;
  }

  /** The library throws if the stream has ended meanwhile, and at fields that it knows to be wrong. */
  #respond(endStream: boolean): void {
    const fields = responseFields(this.#head);
    try {
      if (this.#head.status < 200) this.#stream.additionalHeaders(fields);
      else this.#stream.respond(fields, { endStream });
    } catch {
      this.#close(errors.internal);
    }
  }

  #readBody(chunk: Buffer, start: number, end: number): void {
    const chunks = this.#chunks;
    if (chunks !== undefined) {
      chunks.feed(chunk, start, end);
      const { dataSpans, dataSpanCount } = chunks;
      for (let i = 0; i < dataSpanCount; i += 1) {
        this.#send(chunk, dataSpans[2 * i]!, dataSpans[2 * i + 1]!);
      }
      if (chunks.problem !== undefined) this.#close(errors.internal);
      else if (chunks.done) this.#state = "complete";
      return;
    }
    this.#send(chunk, start, end);
    if (this.#head.framing !== "length") return;
    this.#remaining -= end - start;
    if (this.#remaining <= 0) this.#state = "complete";
  }

  /** In pieces, so that it shows whether a client reads, however slowly. Copies, as the library sends them later. */
  #send(chunk: Buffer, start: number, end: number): void {
    for (let at = start; at < end; at += http2PieceBytesMax) {
      const pieceEnd = Math.min(end, at + http2PieceBytesMax);
      this.#queue.push(Buffer.from(chunk.subarray(at, pieceEnd)));
    }
    this.#queuedBytes += end - start;
  }

  /** Gives the library the next piece once it has sent the last; small ones are joined. */
  #pump(): void {
    if (this.#inHandBytes > 0 || this.#state === "closed" || this.#state === "head") return;
    const piece = this.#nextPiece();
    const isLast = this.#state === "complete" && this.#queue.length === 0;
    if (piece !== undefined) {
      this.#queuedBytes -= piece.length;
      this.#inHandBytes = piece.length;
      if (isLast) this.#stream.end(piece, this.#sent);
      else this.#stream.write(piece, this.#sent);
    } else if (isLast && !this.#stream.writableEnded) this.#stream.end();
    if (isLast) this.#finished();
  }

  #nextPiece(): Buffer | undefined {
    const queue = this.#queue;
    if (queue.length < 2) return queue.shift();
    let count = 1;
    let bytes = queue[0]!.length;
    while (count < queue.length && bytes + queue[count]!.length <= http2PieceBytesMax) {
      bytes += queue[count]!.length;
      count += 1;
    }
    return count === 1 ? queue.shift() : Buffer.concat(queue.splice(0, count), bytes);
  }

  readonly #sent = (): void => {
    if (this.#state === "closed") return;
    this.#inHandBytes = 0;
    this.#pump();
    if (!this.#hasPending || this.pendingBytes > 0) return;
    this.#hasPending = false;
    this.handler.onDrain();
  };

  /** The whole response has been given to the library. */
  #finished(): void {
    // RFC 9113, section 8.1: the client need not send the rest of its request.
    if (!this.#isRequestRead) this.#stream.once("finish", () => this.#stopReading());
  }

  #stopReading(): void {
    if (!this.#stream.readableEnded) this.#stream.close(errors.none);
  }

  /** Of a response whose end only the connection shows. */
  end(): void {
    if (this.#state === "head") this.#close(errors.internal);
    else if (this.#state === "body") {
      const isWhole = this.#head.framing === "close";
      if (!isWhole) this.#close(errors.internal);
      else {
        this.#state = "complete";
        this.#pump();
      }
    }
  }

  destroy(): void {
    const isSent = this.#state === "complete" && this.#inHandBytes + this.#queuedBytes === 0;
    this.#close(isSent ? errors.none : errors.internal);
  }

  /** The client sees that what it has is not the whole response. */
  reset(): void {
    this.#close(errors.internal);
  }

  #close(code: number): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#stream.close(code);
  }

  get pendingBytes(): number {
    return this.#queuedBytes + this.#inHandBytes;
  }
  get writeQueueBytes(): number {
    return this.#queuedBytes + this.#inHandBytes;
  }
  pause(): void {
    this.#stream.pause();
  }
  resume(): void {
    this.#stream.resume();
  }
  get tls(): TlsSession | "missing" | undefined {
    return this.#owner.socket.tls;
  }
  get remoteAddress(): string {
    return this.#owner.socket.remoteAddress;
  }
  get remotePort(): number {
    return this.#owner.socket.remotePort;
  }
  get localAddress(): string {
    return this.#owner.socket.localAddress;
  }
  get localPort(): number {
    return this.#owner.socket.localPort;
  }
}

const lineEnd = Buffer.from("\r\n");
const lastChunk = Buffer.from("0\r\n\r\n");
/** Heads of engines have been held against their own limits. */
const headLimits = { headBytes: 1_048_576, fieldCount: 1_000, targetBytes: 0 };
