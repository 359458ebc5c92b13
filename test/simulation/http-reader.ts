/**
 * A small reader of HTTP/1.1 messages for the simulated clients and engines. It shares no code with the proxy, and
 * takes only what a careful sender writes: whatever else the proxy sends is thrown as a fault of the proxy.
 */

export interface Message {
  readonly startLine: string;
  /** Names in lower case; a name that is repeated has its values in order. */
  readonly fields: ReadonlyMap<string, readonly string[]>;
  readonly body: Buffer;
}

/** How the bytes of a message end, by its head: undefined = when the connection is closed. */
type BodyBytes = number | "chunked" | undefined;

export abstract class HttpReader {
  readonly messages: Message[] = [];
  #bytes: Buffer = Buffer.alloc(0);
  #head: { startLine: string; fields: Map<string, string[]>; body: BodyBytes } | undefined;
  /** Chunk data so far, and where the next chunk begins. */
  #chunks: Buffer[] = [];

  /** By the rules for the kind of message. */
  protected abstract bodyBytes(startLine: string, fields: Message["fields"]): BodyBytes;
  protected abstract complete(message: Message): void;

  push(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    while (this.#readHead() && this.#readBody());
  }

  /** Whether a message has begun that is not complete. */
  get midway(): boolean {
    return this.#head !== undefined || this.#bytes.length > 0;
  }

  /** The connection was closed in order: what has no other end is complete with it. */
  closed(): void {
    if (this.#head !== undefined && this.#head.body === undefined) this.#finish(this.#bytes);
  }

  #readHead(): boolean {
    if (this.#head !== undefined) return true;
    const end = this.#bytes.indexOf("\r\n\r\n");
    if (end < 0) return false;
    const text = this.#bytes.toString("latin1", 0, end);
    this.#bytes = this.#bytes.subarray(end + 4);
    const [startLine = "", ...lines] = text.split("\r\n");
    if (/[\r\n\0]/.test(startLine + lines.join(""))) throw new Error("a bare CR, LF or NUL");
    const fields = new Map<string, string[]>();
    for (const line of lines) {
      const match = /^([!#$%&'*+\-.^_`|~\w]+): (\S.*\S|\S|)$/.exec(line);
      if (match === null) throw new Error(`field line ${JSON.stringify(line)}`);
      const name = match[1]!.toLowerCase();
      fields.set(name, [...(fields.get(name) ?? []), match[2]!]);
    }
    this.#head = { startLine, fields, body: this.bodyBytes(startLine, fields) };
    return true;
  }

  #readBody(): boolean {
    const { body } = this.#head!;
    if (body === undefined) return false;
    if (body === "chunked") return this.#readChunks();
    if (this.#bytes.length < body) return false;
    const rest = this.#bytes.subarray(body);
    this.#finish(this.#bytes.subarray(0, body));
    this.#bytes = rest;
    return true;
  }

  #readChunks(): boolean {
    for (;;) {
      const lineEnd = this.#bytes.indexOf("\r\n");
      if (lineEnd < 0) return false;
      const size = this.#bytes.toString("latin1", 0, lineEnd);
      if (!/^[0-9a-f]+$/i.test(size)) throw new Error(`chunk size ${JSON.stringify(size)}`);
      const dataEnd = lineEnd + 2 + Number.parseInt(size, 16);
      if (this.#bytes.length < dataEnd + 2) return false;
      if (dataEnd === lineEnd + 2 && this.#bytes[dataEnd] !== 0x0d)
        return this.#readTrailers(dataEnd);
      if (this.#bytes.toString("latin1", dataEnd, dataEnd + 2) !== "\r\n") {
        throw new Error("no CRLF behind a chunk");
      }
      this.#chunks.push(this.#bytes.subarray(lineEnd + 2, dataEnd));
      this.#bytes = this.#bytes.subarray(dataEnd + 2);
      if (dataEnd > lineEnd + 2) continue;
      this.#finishChunks(this.#bytes);
      return true;
    }
  }

  #readTrailers(start: number): boolean {
    const end = this.#bytes.indexOf("\r\n\r\n", start);
    if (end < 0) return false;
    this.#finishChunks(this.#bytes.subarray(end + 4));
    return true;
  }

  #finishChunks(rest: Buffer): void {
    this.#finish(Buffer.concat(this.#chunks));
    this.#chunks = [];
    this.#bytes = rest;
  }

  /** What has come of a body that is not complete. */
  get partialBody(): Buffer {
    return this.#head?.body === "chunked" ? Buffer.concat(this.#chunks) : this.#bytes;
  }

  get partialHead(): Omit<Message, "body"> | undefined {
    return this.#head;
  }

  #finish(body: Buffer): void {
    const { startLine, fields } = this.#head!;
    this.#head = undefined;
    this.#bytes = Buffer.alloc(0);
    const message = { startLine, fields, body };
    this.messages.push(message);
    this.complete(message);
  }
}

/** The one value of a field, undefined without it; twice is a fault. */
export function onlyField({ fields }: Pick<Message, "fields">, name: string): string | undefined {
  const values = fields.get(name) ?? [];
  if (values.length > 1) throw new Error(`${name} is repeated`);
  return values[0];
}

/** Body framing by Content-Length and Transfer-Encoding, which never stand together. */
export function framing(fields: Message["fields"]): BodyBytes {
  const length = onlyField({ fields }, "content-length");
  const coding = onlyField({ fields }, "transfer-encoding");
  if (coding !== undefined) {
    if (coding !== "chunked" || length !== undefined) throw new Error("ambiguous framing");
    return "chunked";
  }
  if (length === undefined) return undefined;
  if (!/^(0|[1-9]\d*)$/.test(length)) throw new Error(`content-length ${length}`);
  return Number(length);
}
