/** The response to a client: its head, and its body in a framing that this client understands. */
import type { ServerConfig } from "../../config/schema/schema.ts";
import type { ResponseFilter } from "../../dialects/dialect.ts";
import type { ResponseHead } from "../../http1/head/response-head.ts";
import { filteredResponseBytesMax } from "../../limits.ts";
import type { Pool } from "../../pool/pool.ts";
import type { RequestContext } from "../context/request-context.ts";
import type { ResponseRules } from "../routing/response/response-rules.ts";
import { BufferedBody } from "./body/buffered-body.ts";
import { ClientFraming, framed } from "./body/client-framing.ts";
import { type BodySink, FilteredBody } from "./body/filtered-body.ts";
import type { FramedBody } from "./body/framed-body.ts";
import { hasEvents, hasReadableEvents } from "./body/stream-marks.ts";
import { engineHead } from "./engine-head.ts";
import { type ClientPort, type ResponseServices, ResponseWriter } from "./response-writer.ts";

const contentLengthLine = /(?<=\n)content-length:[^\r]*\r\n/i;
const eventType = /^content-type: text\/event-stream/im;

export class ClientResponse implements BodySink {
  /** Of the route whose response it is; undefined = none. */
  rules: ResponseRules | undefined;
  readonly #framing: ClientFraming;
  /** Whose head was taken over last. */
  engine: ResponseHead | undefined;
  /** Bytes of the body that are held back; undefined = they go out as they come. */
  #buffered: BufferedBody | undefined;
  /** What is held back may be changed once it is whole. */
  #changesBuffered = false;
  #isBufferedUnfinished = false;
  /** Set where a body without a length may be changed on its way. */
  #filtered: FilteredBody | undefined;
  readonly #out: ResponseWriter;
  readonly #context: RequestContext;
  readonly #services: ResponseServices;

  constructor(
    client: ClientPort,
    context: RequestContext,
    services: ResponseServices,
    keep: boolean,
    server?: Pick<ServerConfig, "keepAliveHeaderMs">,
  ) {
    this.#out = new ResponseWriter(client, context, services);
    this.#context = context;
    this.#services = services;
    this.#framing = new ClientFraming(context, keep, server?.keepAliveHeaderMs);
  }

  /** Whether any byte of a response has gone to the client. */
  get started(): boolean {
    return this.#out.started;
  }
  /** Whether the client has a head, of a response or an early one: no other status can follow. */
  get hasHead(): boolean {
    return this.#out.started || this.#out.isEarly;
  }

  /** A comment while the response has not begun; before the first one, a head. False = it has begun. */
  comment(head: string): boolean {
    if (this.#out.started) return false;
    const isFirst = !this.#out.isEarly;
    // What is held back has its framing already.
    if (isFirst && this.engine?.framing === "chunked" && this.#buffered?.bytes) return true;
    const line = this.#framing.early();
    this.#out.comment(() => head + line + this.#connectionLine(), line !== "");
    if (isFirst && this.engine !== undefined) this.#giveUpHead(this.engine);
    return true;
  }

  /** An early head goes out in place of the engine's: the body is framed where it is written. */
  #giveUpHead(engine: ResponseHead): void {
    this.#out.setHead("", engine.status === 200 && hasReadableEvents(engine.fields));
    this.#framing.giveUpHead(engine);
    if (this.#filtered !== undefined) this.#filtered.keepsChunks = false;
  }

  /** Whether the connection may serve another request afterwards. */
  get keep(): boolean {
    return this.#framing.keep;
  }
  /** The request was not read to its end, so nothing more can be read from this connection. */
  closeAfter(): void {
    this.#framing.keep = false;
  }

  /** Only the end of the connection shows an HTTP/1.0 client that this response is complete. */
  get endsWithConnection(): boolean {
    return this.hasHead && this.#framing.isUnframed;
  }

  /**
   * Takes over an engine's head; it is sent with the first bytes of the body, or at the end.
   * @param rules of the route that has asked the engine
   * @param status for the client in place of the engine's; 0 = the engine's
   * @param pool where the response comes from; undefined = it says nothing of places
   */
  fromEngine(
    engine: ResponseHead,
    rules: ResponseRules,
    requestId: string,
    status: number,
    pool?: Pool,
  ): void {
    const context = this.#context;
    const { isEarly } = this.#out;
    this.engine = engine;
    this.rules = rules;
    this.#changesBuffered = false;
    this.#isBufferedUnfinished = false;
    this.#filtered = undefined;
    this.dropBuffered();
    let framing = this.#framing.ofEngine(engine, isEarly, rules.chunks);
    context.status = status === 0 ? engine.status : status;
    context.engineHead = engine.fields.text;
    let head = engineHead(context, engine, requestId, status, pool, rules);
    const trailing = this.#framing.trail(rules, isEarly);
    if (trailing !== "") {
      head = head.replace(contentLengthLine, "");
      framing = trailing;
    }
    const isStream = isEarly && engine.status === 200 && hasReadableEvents(engine.fields);
    this.#out.setHead(head + framing + this.#connectionLine(), isStream);
  }

  /**
   * The body of the engine's response may have to be changed: see `release`. True if it must be held back until it is
   * whole, as all are that come in one piece. Those that are too large or compressed stay as they are.
   */
  mayChange(engine: ResponseHead): boolean {
    if (this.#framing.mode === "none") return false;
    // A body of known length is no stream of events.
    if (engine.framing === "length") {
      this.#changesBuffered = engine.contentLength <= filteredResponseBytesMax;
      return this.#changesBuffered;
    }
    const isEvents = hasEvents(engine.fields);
    if (isEvents && engine.fields.get("content-encoding")) return false;
    const keepsChunks = this.#framing.mode === "as-is" && engine.framing === "chunked";
    if (keepsChunks) this.#framing.mode = "chunk";
    this.#filtered = new FilteredBody(this, isEvents, keepsChunks);
    return !isEvents;
  }

  /** The engine has preempted the request: its response is incomplete, and nothing more of it goes to the client. */
  get isUnfinished(): boolean {
    return this.#isBufferedUnfinished || (this.#filtered?.isUnfinished ?? false);
  }

  /** The events of another response continue those that were sent. False if it has none. */
  goesOn(engine: ResponseHead): boolean {
    if (!hasReadableEvents(engine.fields)) return false;
    const keepsChunks = this.#framing.mode === "chunk" && engine.framing === "chunked";
    this.#filtered = new FilteredBody(this, true, keepsChunks);
    return true;
  }

  /** A reply of the proxy's own; `lines` are further header lines, each with its CRLF. What `body` lacks follows. */
  local(status: number, reason: string, lines: string, body: Buffer, bytes = body.length): void {
    this.#context.status = status;
    this.#changesBuffered = false;
    this.#filtered = undefined;
    this.dropBuffered();
    // RFC 9110, section 8.6: a 204 has no length; that of a 304 would be the one of what it spares the client.
    const bodiless = status === 204 || status === 304;
    const silent = bodiless || this.#context.head.method === "HEAD";
    const all = this.rules?.linesOfReply(this.#context, status, lines) ?? lines;
    this.#framing.mode = silent ? "none" : "as-is";
    const length = bodiless ? "" : `Content-Length: ${bytes}\r\n`;
    const trailing = this.#framing.trail(this.rules, this.#out.isEarly);
    const framing = trailing || length;
    const head = `HTTP/1.1 ${status} ${reason}\r\n${all}${framing}${this.#connectionLine()}`;
    this.#out.setHead(head, eventType.test(lines));
    if (silent || body.length === 0) this.#send(undefined, 0, 0);
    else this.data([body]);
    if (!silent && body.length < bytes) return;
    if (trailing !== "") this.#sendLastChunk();
    this.#out.end();
  }

  /** Bytes of the engine's body, as the connection framed them. */
  body(source: FramedBody, chunk: Buffer, start: number, end: number): void {
    if (this.#filtered !== undefined) this.#filtered.add(source, chunk, start, end);
    else this.#framing.pass(source, chunk, start, end, this);
  }

  /** Data of a body that is framed here. */
  data(parts: readonly Buffer[]): void {
    if (this.#framing.mode !== "chunk") {
      for (const part of parts) this.#send(part, 0, part.length);
      return;
    }
    const bytes = framed(parts);
    this.#send(bytes, 0, bytes.length);
  }

  /** Bytes of a body that is sent in its engine's chunks. */
  chunks(chunk: Buffer, start: number, end: number): void {
    this.#send(chunk, start, end);
  }

  /** Holds back what follows, in the framing that the client gets, until `release`. */
  hold(): void {
    this.#buffered = new BufferedBody();
  }

  get isBuffered(): boolean {
    return this.#buffered !== undefined;
  }
  get bufferedBytes(): number {
    return this.#filtered?.bufferedBytes ?? this.#buffered?.bytes ?? 0;
  }

  /** Whether what goes to the client is a stream whose events are seen. */
  get isSeenStream(): boolean {
    return this.started && (this.#filtered?.isEvents ?? false);
  }

  /** Whether events of the response wait for the prefill's. */
  get awaitsPrefill(): boolean {
    return this.#filtered?.awaitsPrefill ?? false;
  }

  /** The prefill's response has come, or never will. */
  prefillCame(): void {
    this.#filtered?.prefillCame();
  }

  /** The whole body that is held back, if it may be changed. */
  get heldJson(): Buffer | undefined {
    if (this.#buffered === undefined) return undefined;
    return this.#changesBuffered ? this.#buffered.whole : this.#filtered?.json;
  }

  /**
   * @param filter changes the response that `mayChange` was asked about
   * @param isWhole all of the body has come
   */
  release(filter: ResponseFilter | undefined, isWhole: boolean): void {
    const buffered = this.#buffered;
    this.dropBuffered();
    this.#filtered?.release(filter, isWhole);
    if (buffered === undefined) return;
    const mayChange = this.#changesBuffered && isWhole && filter !== undefined;
    const changed = mayChange ? buffered.change(filter) : undefined;
    if (changed === "unfinished") this.#isBufferedUnfinished = true;
    else if (changed === undefined || changed === "dropped") {
      for (const { chunk, start, end } of buffered.pieces) this.#send(chunk, start, end);
    } else {
      this.#out.head = this.#out.head.replace(
        contentLengthLine,
        `Content-Length: ${changed.length}\r\n`,
      );
      this.#send(changed, 0, changed.length);
    }
  }

  dropBuffered(): void {
    this.#buffered = undefined;
  }

  /** Sends what is still to be sent of a complete response. */
  end(): void {
    this.#filtered?.end();
    if (this.#framing.mode === "chunk") this.#sendLastChunk();
    else if (this.#out.head !== "") this.#send(undefined, 0, 0);
    this.#out.end();
  }

  #send(chunk: Buffer | undefined, start: number, end: number): void {
    if (this.#buffered !== undefined && chunk !== undefined) this.#buffered.add(chunk, start, end);
    else this.#out.write(chunk, start, end);
  }

  #sendLastChunk(): void {
    const last = this.#framing.lastChunk();
    this.#send(last, 0, last.length);
  }

  #connectionLine(): string {
    return this.#framing.connectionLine(this.#services.draining);
  }
}
