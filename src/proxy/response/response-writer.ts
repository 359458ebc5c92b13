/** Writes a response to its client: the head together with the first bytes of the body, then what follows. */
import { joinBytesMax } from "../../limits.ts";
import type { Clock } from "../../transport/clock.ts";
import type { RequestContext } from "../context/request-context.ts";
import { type Scratch, writeHead } from "../context/scratch.ts";

/** The client's connection, as far as a response writes to it. */
export interface ClientPort {
  /** Bytes that the client has not read yet. */
  readonly pendingBytes: number;
  /** The bytes may be reused if `pendingBytes` is 0 afterwards. */
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
  /** Whether any byte has gone to the client. */
  started = false;
  /** What goes out with the first bytes of the body; "" = it has gone out. */
  head = "";
  readonly #client: ClientPort;
  readonly #context: RequestContext;
  readonly #services: ResponseServices;

  constructor(client: ClientPort, context: RequestContext, services: ResponseServices) {
    this.#client = client;
    this.#context = context;
    this.#services = services;
  }

  /** Bytes of the body; undefined = there are none, and the head goes out alone. */
  write(chunk: Buffer | undefined, start: number, end: number): void {
    const context = this.#context;
    const bytes = end - start;
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
    const out = this.#services.scratch.take(total, this.#client.pendingBytes > 0);
    writeHead(out, head);
    if (join) chunk.copy(out, head.length, start, end);
    this.#client.write(out, 0, total);
    if (this.#client.pendingBytes > 0) this.#services.scratch.lost(out);
    if (!join && chunk !== undefined) this.#client.write(chunk, start, end);
  }
}
