/** One response on the wire, with uvicorn's headers, and the faults that strike once it has started. */

import type { ServerResponse } from "node:http";
import type { Clock } from "../clock.ts";
import type { Fault } from "../faults/fault.ts";

/** Between the last good byte and a reset, so that the other side reads the byte and not only the reset. */
const beforeResetMs = 10;

/** Where a response goes: to a client, or into the store of responses. */
export type ResponseSink = Pick<
  Reply,
  "onDrain" | "onUndelivered" | "interrupted" | "send" | "openEvents" | "event" | "endEvents"
>;

export class Reply {
  /** Called when a slow reader has caught up. */
  onDrain: (() => void) | undefined;
  /** Called when the client had ended its connection before the response went out: not every runtime says so sooner. */
  onUndelivered: (() => void) | undefined;
  /** The events of a stream in which the engine fails. */
  errorEvents: (() => readonly string[]) | undefined;
  /** A fault has ended or stalled the response; an abort from here on is the engine's own doing. */
  interrupted = false;
  readonly #response: ServerResponse;
  readonly #fault: Fault | undefined;
  readonly #clock: Clock;
  #events = 0;
  #isFinished = false;

  constructor(response: ServerResponse, fault: Fault | undefined, clock: Clock) {
    this.#response = response;
    this.#fault = fault;
    this.#clock = clock;
    response.on("error", () => {});
    response.on("drain", () => this.onDrain?.());
    response.on("finish", () => {
      this.#isFinished = true;
    });
    response.on("close", () => {
      if (!this.#isFinished && !this.interrupted) this.onUndelivered?.();
    });
  }

  /** False when a fault stalls or cuts the response, so that it never ends on this side. */
  send(
    status: number,
    body: string,
    contentType = "application/json",
    headers: readonly string[] = [],
  ): boolean {
    const fault = this.#fault;
    const full = fault?.kind === "wrong-json" ? corrupt(body, fault) : body;
    const bytes = Buffer.from(full);
    const type = contentType === "" ? [] : ["content-type", contentType];
    this.#head(status, ["content-length", String(bytes.length), ...type, ...headers]);
    if (fault?.kind === "reset-after-headers") return this.#resetAfter("", fault);
    const half = bytes.subarray(0, bytes.length >> 1);
    if (fault?.kind === "reset-after-chunks") return this.#resetAfter(half, fault);
    if (fault?.kind === "stall") {
      this.interrupted = true;
      this.#response.flushHeaders();
      if (fault.chunks !== 0) this.#response.write(half);
      return false;
    }
    this.#response.end(bytes);
    return true;
  }

  /** uvicorn sends the head of a stream at once, long before there is a token. */
  openEvents(): void {
    const headers = ["content-type", "text/event-stream; charset=utf-8"];
    if (this.#response.req.httpVersionMinor > 0) headers.push("transfer-encoding", "chunked");
    this.#head(200, headers);
    this.#response.flushHeaders();
    if (this.#fault?.kind === "reset-after-headers") this.#resetAfter("", this.#fault);
    else this.#strikeWhenDue();
  }

  /** Writes one event as one chunk. False when no more should be written for now. */
  event(text: string): boolean {
    if (this.interrupted) return false;
    this.#events++;
    const more = this.#response.write(text);
    this.#strikeWhenDue();
    return more && !this.interrupted;
  }

  endEvents(): void {
    if (this.interrupted) return;
    this.#response.end();
  }

  /** Ends the connection without a response, or without the rest of it. */
  reset(fault: Fault): void {
    this.interrupted = true;
    if (fault.how === "fin") this.#response.socket?.destroy();
    else this.#response.socket?.resetAndDestroy();
  }

  /** Sends these bytes in place of a response, and ends the connection. */
  raw(text: string, fault: Fault): void {
    this.interrupted = true;
    const after = (): void => {
      this.#clock.after(beforeResetMs, () => this.reset(fault));
    };
    this.#response.socket?.write(text, "latin1", after);
  }

  /** Sends a head byte by byte, which never ends. */
  drip({ delayMs }: Fault): void {
    this.interrupted = true;
    const { socket } = this.#response;
    const start = "HTTP/1.1 200 OK\r\nx-drip: ";
    let sent = 0;
    const next = (): void => {
      if (socket === null || socket.destroyed) return;
      socket.write(start[sent] ?? "-");
      sent += 1;
      this.#clock.after(delayMs, next);
    };
    next();
  }

  #head(status: number, headers: string[]): void {
    // uvicorn sends no keep-alive header; a hint of when it closes would be more than a real engine gives.
    this.#response.removeHeader("connection");
    const head = [
      "date",
      new Date(this.#clock.wallMs()).toUTCString(),
      "server",
      "uvicorn",
      ...headers,
    ];
    if (/close/i.test(this.#response.req.headers.connection ?? "")) {
      head.push("connection", "close");
    }
    this.#response.writeHead(status, head);
  }

  #strikeWhenDue(): void {
    const fault = this.#fault;
    if (fault === undefined || this.interrupted) return;
    const due = this.#events >= (fault.chunks ?? 1);
    if (fault.kind === "wrong-json") {
      this.interrupted = true;
      this.#response.end(`data: ${corrupt('{"id":"cmpl-0","choices":[]}', fault)}\n\n`);
    } else if (!due) return;
    else if (fault.kind === "reset-after-chunks") this.#resetAfter("", fault);
    else if (fault.kind === "stall") this.interrupted = true;
    else if (fault.kind === "end-after-chunks") this.#endWith("");
    else if (fault.kind === "error-after-chunks")
      this.#endWith((this.errorEvents?.() ?? []).join(""));
  }

  #endWith(text: string): void {
    this.interrupted = true;
    this.#response.end(text);
  }

  #resetAfter(bytes: Buffer | "", fault: Fault): false {
    this.interrupted = true;
    const reset = (): void => {
      this.#clock.after(beforeResetMs, () => this.reset(fault));
    };
    if (bytes === "") {
      this.#response.flushHeaders();
      reset();
    } else this.#response.write(bytes, reset);
    return false;
  }
}

function corrupt(body: string, fault: Fault): string {
  return fault.variant === "text" ? "Internal Server Error" : body.slice(0, body.length >> 1);
}
