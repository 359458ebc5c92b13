/** How the body goes to the client: as it came, its data only, or put into chunks; and what the head says of it. */
import type { ResponseHead } from "../../../http1/head/response-head.ts";
import type { RequestContext } from "../../context/request-context.ts";
import type { AddedHeaders } from "../../routing/response/added-headers.ts";
import type { ResponseRules } from "../../routing/response/response-rules.ts";
import type { FramedBody } from "./framed-body.ts";

type BodyMode = "none" | "as-is" | "data" | "chunk";

const crlf = Buffer.from("\r\n");
const chunkedLine = "Transfer-Encoding: chunked\r\n";

export class ClientFraming {
  mode: BodyMode = "none";
  /** Whether the connection may serve another request afterwards. */
  keep: boolean;
  /** Only the end of the connection frames the body. */
  isUnframed = false;
  /** The protocol that the connection has after this head; "" = HTTP/1.1. */
  #upgrade = "";
  readonly #context: RequestContext;
  readonly #idleMs: number | undefined;
  /** What stands behind the body; undefined = nothing. */
  #trailers: AddedHeaders | undefined;

  /** @param idleMs how long an idle connection stays, if clients are told; undefined = they are not */
  constructor(context: RequestContext, keep: boolean, idleMs: number | undefined) {
    this.#context = context;
    this.keep = keep;
    this.#idleMs = idleMs;
  }

  /** Whether the client reads chunks. */
  get #isModern(): boolean {
    return this.#context.head.minor > 0;
  }

  /** Of a head that goes out before there is a response. @returns its header line */
  early(): string {
    if (this.#isModern) return chunkedLine;
    this.isUnframed = true;
    this.keep = false;
    return "";
  }

  /** An early head goes out in place of the engine's: the body is framed where it is written. */
  giveUpHead(engine: ResponseHead): void {
    this.#trailers = undefined;
    if (this.mode !== "none") this.mode = engine.framing === "chunked" ? "data" : "as-is";
  }

  /**
   * Of an engine's response.
   * @param isEarly the client has had an early head
   * @param chunks may go to clients that read them
   * @returns the header line that has to be added
   */
  ofEngine(engine: ResponseHead, isEarly: boolean, chunks = true): string {
    const readsChunks = this.#isModern && chunks;
    this.isUnframed = !this.#isModern && isEarly;
    let line = "";
    if (engine.status === 101) {
      this.mode = "as-is";
      this.keep = false;
      this.#upgrade = engine.fields.get("upgrade") ?? "";
      return line;
    }
    if (engine.framing === "none") this.mode = "none";
    else if (engine.framing === "length") this.mode = "as-is";
    else if (!readsChunks || isEarly) {
      this.mode = engine.framing === "chunked" ? "data" : "as-is";
      this.isUnframed = isEarly ? !this.#isModern : !readsChunks;
      if (this.isUnframed) this.keep = false;
    } else {
      this.mode = engine.framing === "chunked" ? "as-is" : "chunk";
      line = chunkedLine;
    }
    if (this.#context.head.method === "HEAD") this.mode = "none";
    return line;
  }

  /**
   * If trailers stand behind the body, it goes out in chunks of its own.
   * @param isEarly as above
   * @returns its header line; "" = there are none
   */
  trail(rules: ResponseRules | undefined, isEarly: boolean): string {
    this.#trailers = undefined;
    const trailers = rules?.trailers;
    const mayTrail = this.#isModern && this.mode !== "none" && !isEarly;
    if (trailers === undefined || !mayTrail || !rules?.chunks) return "";
    if (trailers.lines(this.#context, this.#context.status) === "") return "";
    this.#trailers = trailers;
    this.mode = "chunk";
    return chunkedLine;
  }

  /** With the trailers as they are now. */
  lastChunk(): Buffer {
    const lines = this.#trailers?.lines(this.#context, this.#context.status) ?? "";
    return Buffer.from(`0\r\n${lines}\r\n`, "latin1");
  }

  /** Of the connection, with the blank line. @param draining it closes after this response */
  connectionLine(draining: boolean): string {
    if (draining) this.keep = false;
    if (this.#upgrade !== "") return `Upgrade: ${this.#upgrade}\r\nConnection: upgrade\r\n\r\n`;
    if (!this.keep) return "Connection: close\r\n\r\n";
    const kept = this.#isModern ? "" : "Connection: keep-alive\r\n";
    if (!this.#idleMs) return `${kept}\r\n`;
    return `${kept}Keep-Alive: timeout=${Math.floor(this.#idleMs / 1000)}\r\n\r\n`;
  }

  /** Bytes of an engine's body, as the connection framed them, as they go to the client. */
  pass(
    { head, reader }: FramedBody,
    chunk: Buffer,
    start: number,
    end: number,
    to: { chunks(chunk: Buffer, start: number, end: number): void; data(parts: Buffer[]): void },
  ): void {
    const isChunked = head.framing === "chunked";
    if (this.mode === "none") return;
    if (!isChunked) {
      if (this.mode !== "chunk") to.chunks(chunk, start, end);
      else if (end > start) to.data([chunk.subarray(start, end)]);
    } else if (this.mode === "as-is") {
      const { rawSpans, rawSpanCount } = reader;
      for (let i = 0; i < rawSpanCount; i += 1)
        to.chunks(chunk, rawSpans[2 * i]!, rawSpans[2 * i + 1]!);
    } else {
      const { dataSpans, dataSpanCount } = reader;
      for (let i = 0; i < dataSpanCount; i += 1) {
        const from = dataSpans[2 * i]!;
        const until = dataSpans[2 * i + 1]!;
        if (this.mode === "data") to.chunks(chunk, from, until);
        else if (until > from) to.data([chunk.subarray(from, until)]);
      }
    }
  }
}

/** One chunk for each part: how the bytes arrived has no say in it. */
export function framed(parts: readonly Buffer[]): Buffer {
  const framing: Buffer[] = [];
  for (const part of parts)
    framing.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, crlf);
  return Buffer.concat(framing);
}
