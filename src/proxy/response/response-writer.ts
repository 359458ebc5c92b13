/** Writes a response to its client: the head together with the first bytes of the body, then what follows. */
import { joinBytesMax } from "../../limits.ts";
import type { Clock } from "../../transport/clock.ts";
import type { RequestContext } from "../context/request-context.ts";
import { type Scratch, writeHead } from "../context/scratch.ts";
import { EarlyStream, keepAlive } from "./early-stream.ts";

/** The client's connection, as far as a response writes to it. */
export interface ClientPort {
  /** Bytes that the client has not read yet. */
  readonly pendingBytes: number;
  /** Whether `write` copies. */
  readonly copies: boolean;
  /** The bytes may be reused if it copies, or if `pendingBytes` is 0 afterwards. */
  write(bytes: Buffer, start: number, end: number): void;
}

/** What responses need of their worker. */
export interface ResponseServices {
  readonly clock: Clock;
  readonly scratch: Scratch;
  /** The worker takes no further requests: connections close after their response. */
  readonly draining: boolean;
}

export class ResponseWriter {
  /** Whether any byte of a response has gone to the client. */
  started = false;
  /** What goes out with the first bytes of the body; "" = it has gone out. */
  head = "";
  /** Behind an early head; undefined = there is none. */
  #early: EarlyStream | undefined;
  readonly #client: ClientPort;
  readonly #context: RequestContext;
  readonly #services: ResponseServices;

  constructor(client: ClientPort, context: RequestContext, services: ResponseServices) {
    this.#client = client;
    this.#context = context;
    this.#services = services;
  }

  /** The client has had a head before that of its response. */
  get isEarly(): boolean {
    return this.#early !== undefined;
  }

  /** @param isStream the response is a stream of events, as an early head has said */
  setHead(head: string, isStream: boolean): void {
    this.head = this.#early === undefined ? head : "";
    this.#early?.begin(isStream);
  }

  /** A comment; before the first one the head. @param isFramed in chunks */
  comment(head: () => string, isFramed: boolean): void {
    if (this.#early === undefined) {
      const text = Buffer.from(head(), "latin1");
      this.#early = new EarlyStream(isFramed);
      this.#context.status = 200;
      this.#context.sentHead = text.toString("latin1");
      this.#context.bytesSent += text.length;
      this.#client.write(text, 0, text.length);
    }
    // A client that does not read does not notice.
    if (this.#client.pendingBytes === 0) this.#raw(this.#early.frame(keepAlive));
  }

  /** The response is complete. */
  end(): void {
    const early = this.#early;
    if (early === undefined) return;
    const event = early.takeEvent();
    if (event !== undefined) {
      this.#context.status = 200;
      this.#body(event, 0, event.length);
    }
    this.#raw(early.end);
  }

  #raw(bytes: Buffer): void {
    if (bytes.length > 0) this.#client.write(bytes, 0, bytes.length);
    this.#context.bytesSent += bytes.length;
  }

  #body(chunk: Buffer, start: number, end: number): void {
    const context = this.#context;
    if (!this.started) context.firstByteMs = this.#services.clock.nowMs();
    this.started = true;
    this.#raw(this.#early!.frame(chunk.subarray(start, end)));
    context.bodyBytesSent += end - start;
    context.meter?.add(chunk, start, end);
  }

  /** Bytes of the body; undefined = there are none, and the head goes out alone. */
  write(chunk: Buffer | undefined, start: number, end: number): void {
    const context = this.#context;
    const bytes = end - start;
    if (this.#early !== undefined) {
      if (chunk === undefined || bytes === 0) return;
      if (this.#early.isStream) this.#body(chunk, start, end);
      else this.#early.add(chunk.subarray(start, end));
      return;
    }
    if (this.head !== "") this.#sendHead(chunk, start, end);
    else if (chunk !== undefined && bytes > 0) this.#client.write(chunk, start, end);
    context.bytesSent += bytes;
    context.bodyBytesSent += bytes;
    if (chunk !== undefined) context.meter?.add(chunk, start, end);
  }

  #sendHead(chunk: Buffer | undefined, start: number, end: number): void {
    const { head } = this;
    this.head = "";
    this.started = true;
    this.#context.firstByteMs = this.#services.clock.nowMs();
    this.#context.sentHead = head;
    this.#context.bytesSent += head.length;
    const join = chunk !== undefined && end - start <= joinBytesMax;
    const total = head.length + (join ? end - start : 0);
    const client = this.#client;
    const { scratch } = this.#services;
    const out = scratch.take(total, client.pendingBytes > 0 && !client.copies);
    writeHead(out, head);
    if (join) chunk.copy(out, head.length, start, end);
    client.write(out, 0, total);
    if (client.pendingBytes > 0 && !client.copies) scratch.lost(out);
    if (!join && chunk !== undefined) client.write(chunk, start, end);
  }
}
