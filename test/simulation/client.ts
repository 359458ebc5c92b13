/** A scripted client: sends what a test tells it to, and judges what comes back. */
import type { MemorySocket } from "../../src/transport/memory-socket.ts";
import type { SocketHandler } from "../../src/transport/socket.ts";
import { framing, HttpReader, type Message } from "./http-reader.ts";
import { type Ask, requestBody } from "./prompts.ts";

export interface ClientResponse extends Message {
  readonly status: number;
}

class ResponseReader extends HttpReader {
  readonly answers: ClientResponse[] = [];
  readonly interim: number[] = [];
  /** Methods of the requests that are not answered, in order. */
  readonly methods: string[] = [];

  protected bodyBytes(startLine: string, fields: Message["fields"]) {
    const status = statusOf(startLine);
    const framed = framing(fields);
    if (status < 200 || status === 204) {
      if (framed !== undefined) throw new Error(`a body is announced with status ${status}`);
      return 0;
    }
    return status === 304 || this.methods[0] === "HEAD" ? 0 : framed;
  }

  protected complete(message: Message): void {
    const status = statusOf(message.startLine);
    if (status < 200) {
      this.interim.push(status);
      return;
    }
    this.methods.shift();
    this.answers.push({ ...message, status });
  }
}

function statusOf(startLine: string): number {
  const match = /^HTTP\/1\.1 (\d{3}) [\x20-\x7e]*$/.exec(startLine);
  if (match === null) throw new Error(`status line ${JSON.stringify(startLine)}`);
  return Number(match[1]);
}

export class Client implements SocketHandler {
  socket!: MemorySocket;
  /** How the proxy ended the connection, once it has. */
  ended: "fin" | "rst" | undefined;
  received: Buffer[] = [];
  /** Calls as soon as the connection is up. */
  connected: (() => void) | undefined;
  readonly #reader = new ResponseReader();
  readonly #leavesOpen: boolean;

  /** @param leavesOpen it does not close its side when the proxy does */
  constructor(leavesOpen = false) {
    this.#leavesOpen = leavesOpen;
  }

  /** Final responses, complete. */
  get answers(): readonly ClientResponse[] {
    return this.#reader.answers;
  }
  /** Statuses of the 1xx that came. */
  get interim(): readonly number[] {
    return this.#reader.interim;
  }
  /** Whether a response has begun that is not complete. */
  get midway(): boolean {
    return this.#reader.midway;
  }
  get partialBody(): string {
    return this.#reader.partialBody.toString();
  }
  /** Of the response that is not complete; 0 = its head is not, either. */
  get partialStatus(): number {
    const { partialHead } = this.#reader;
    return partialHead === undefined ? 0 : statusOf(partialHead.startLine);
  }
  get receivedText(): string {
    return Buffer.concat(this.received).toString("latin1");
  }

  send(text: string | Buffer, method = "POST"): void {
    if (method !== "") this.#reader.methods.push(method);
    this.socket.write(Buffer.from(text as string));
  }

  onConnect(): void {
    this.connected?.();
  }
  onData(chunk: Buffer): void {
    this.received.push(chunk);
    this.#reader.push(chunk);
  }
  onDrain(): void {}
  onEnd(): void {
    this.ended ??= "fin";
    this.#reader.closed();
    if (!this.#leavesOpen) this.socket.destroy();
  }
  onClose(error: Error | undefined): void {
    if (error !== undefined) this.ended ??= "rst";
  }
}

export function codeOf({ body }: ClientResponse): string {
  return (JSON.parse(body.toString()) as { error: { code: string } }).error.code;
}

/** A request for a completion, whole. `lines` are further header lines. */
export function completion(ask: Ask, lines = "", version = "1.1"): string {
  const body = requestBody(ask);
  const head = `POST /v1/completions HTTP/${version}\r\nHost: proxy\r\nX-Request-Id: r-1\r\n`;
  const framed = `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
  return `${head}${framed}${lines}\r\n${body}`;
}
