/** Scripted engines, strict about what the proxy sends: a request that no proxy may make is noted as a violation. */
import type { MemoryNetwork } from "../../src/transport/memory.ts";
import type { MemorySocket } from "../../src/transport/memory-socket.ts";
import type { SocketHandler } from "../../src/transport/socket.ts";
import { framing, HttpReader, type Message, onlyField } from "./http-reader.ts";
import { jsonResponse, sseEvents } from "./prompts.ts";

/** One connection of an engine, as a script sees it. */
export interface EngineConnection {
  readonly engine: Engine;
  readonly socket: MemorySocket;
  /** Counts from 0 over all connections of this engine. */
  readonly number: number;
  /** Requests on this connection so far. */
  requests: number;
  send(text: string | Buffer): void;
  after(delayMs: number, run: () => void): void;
}

type EngineRole = "encode" | "prefill" | "decode";
export type Script = (request: Message, connection: EngineConnection) => void;

/** KV that prefill engines keep for decode, by name, and what prompt each belongs to. */
export class KvStore {
  readonly held = new Map<string, string>();
  /** Whether a decode request uses its KV up, so that a second one for the same is a violation. */
  consumed = true;
  #serial = 0;
  /** Of all KV that was ever held. */
  readonly #prompts = new Map<string, string>();

  put(engine: string, prompt: string): string {
    this.#serial += 1;
    const name = `${engine}#${this.#serial}`;
    this.held.set(name, prompt);
    this.#prompts.set(name, prompt);
    return name;
  }

  /** Frees KV that may be gone already; false if there never was such KV of this prompt. */
  release(name: string | undefined, prompt: string): boolean {
    if (name === undefined || this.#prompts.get(name) !== prompt) return false;
    this.held.delete(name);
    return true;
  }
}

class RequestReader extends HttpReader {
  readonly #onRequest: (request: Message) => void;

  constructor(onRequest: (request: Message) => void) {
    super();
    this.#onRequest = onRequest;
  }
  protected bodyBytes(_startLine: string, fields: Message["fields"]) {
    return framing(fields) ?? 0;
  }
  protected complete(message: Message): void {
    this.#onRequest(message);
  }
}

export class Engine {
  readonly address: string;
  readonly role: EngineRole;
  readonly kv: KvStore;
  readonly network: MemoryNetwork;
  readonly requests: Message[] = [];
  /** Requests that a decode engine got only to free KV: not among `requests`, and no script sees them. */
  readonly releases: Message[] = [];
  readonly violations: string[] = [];
  readonly connections: EngineConnection[] = [];
  script: Script;
  /** Whether legs must carry omni's transfer parameters; if not, the test's script looks at them. */
  checksTransfer = true;
  /** Whether a stream of one token frees KV; if not, the test's clients ask for such streams. */
  takesReleases = true;
  /** What a test does with a connection as it is accepted. */
  accepted: ((connection: EngineConnection) => void) | undefined;

  constructor(
    network: MemoryNetwork,
    address: string,
    role: EngineRole,
    kv: KvStore,
    script: Script,
  ) {
    this.network = network;
    this.address = address;
    this.role = role;
    this.kv = kv;
    this.script = script;
    const [host = "", port] = address.split(":");
    const where = { host, port: Number(port), reusePort: false, backlog: 1 };
    void network.listen(where, (socket) => this.#accept(socket));
  }

  /** From now on connects are refused, never answered or lack a descriptor here; undefined = accepted again. */
  connects(how: "refused" | "silence" | "EMFILE" | undefined): void {
    if (how === undefined) this.network.faults.delete(this.address);
    else this.network.faults.set(this.address, how);
  }

  get openConnections(): number {
    return this.connections.filter(({ socket }) => !socket.closed).length;
  }

  #accept(socket: MemorySocket): void {
    const connection: EngineConnection = {
      engine: this,
      socket,
      number: this.connections.length,
      requests: 0,
      send: (text) => {
        if (!socket.closed) socket.write(Buffer.from(text as string));
      },
      after: (delayMs, run) => this.network.after(delayMs, run),
    };
    const reader = new RequestReader((request) => {
      if (this.role === "decode" && this.takesReleases && isRelease(request)) {
        this.#release(request, connection);
        return;
      }
      connection.requests += 1;
      this.#check(request);
      this.requests.push(request);
      this.script(request, connection);
    });
    const handler: SocketHandler = {
      onConnect() {},
      onData: (chunk) => reader.push(chunk),
      onDrain() {},
      onEnd: () => socket.destroy(),
      onClose() {},
    };
    socket.handler = handler;
    this.connections.push(connection);
    this.accepted?.(connection);
  }

  #release(request: Message, connection: EngineConnection): void {
    this.releases.push(request);
    const body = JSON.parse(request.body.toString());
    if (this.checksTransfer && !this.kv.release(body.kv_transfer_params?.kv, body.prompt)) {
      this.violations.push(`${this.address}: a release of KV that never was`);
    }
    connection.send(chunkedHead);
  }

  #check(request: Message): void {
    const { fields } = request;
    const violation = (text: string) => this.violations.push(`${this.address}: ${text}`);
    if (!/^[A-Z]+ \/\S* HTTP\/1\.1$/.test(request.startLine)) violation(request.startLine);
    if (onlyField(request, "host") === undefined) violation("no Host");
    for (const name of ["connection", "transfer-encoding", "expect", "te", "upgrade", "trailer"]) {
      if (fields.has(name)) violation(`a ${name} header`);
    }
    if (this.checksTransfer && request.startLine.startsWith("POST /v1/"))
      this.#checkLeg(request, violation);
  }

  #checkLeg(request: Message, violation: (text: string) => void): void {
    const body = JSON.parse(request.body.toString()) as Record<string, unknown>;
    if (this.role === "encode") {
      const { messages, max_tokens, stream } = body as {
        messages?: { content: unknown[] }[];
      } & typeof body;
      const isOne = messages?.length === 1 && messages[0]!.content.length === 1;
      if (!isOne || max_tokens !== 1 || stream !== false) violation("no encode of one item");
      return;
    }
    if (this.role === "prefill") {
      if (body["max_tokens"] !== 1 || (body["stream"] ?? false) !== false) violation("no prefill");
      if (body["kv_transfer_params"] !== undefined) violation("a prefill with transfer parameters");
      return;
    }
    const kv = (body["kv_transfer_params"] as { kv?: string } | undefined)?.kv;
    if (kv === undefined) violation("a decode without transfer parameters");
    else if (JSON.stringify(this.kv.held.get(kv)) !== JSON.stringify(body["prompt"]))
      violation("KV that is not held");
    else if (this.kv.consumed) this.kv.held.delete(kv);
  }
}

/** No client of these tests asks for a stream of one token. */
function isRelease({ startLine, body }: Message): boolean {
  if (!/^POST \/v1\/(chat\/)?completions /.test(startLine)) return false;
  const { max_tokens, stream } = JSON.parse(body.toString());
  return max_tokens === 1 && stream === true;
}

export function bodyOf(request: Message): { prompt: string; max_tokens: number; stream?: boolean } {
  return JSON.parse(request.body.toString());
}

/** A whole answer with a Content-Length. */
export function response(body: string | Buffer, status = "200 OK", lines = ""): Buffer {
  const bytes = Buffer.from(body as string);
  const head = `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${bytes.length}\r\n${lines}\r\n`;
  return Buffer.concat([Buffer.from(head), bytes]);
}

export function chunk(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

export const chunkedHead =
  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

/** Keeps the item's embedding where others find it by themselves. */
export const encodes: Script = (_, { send }) => send(response('{"choices":[]}'));

/** Keeps the prompt's KV cache and names it. */
export const prefills: Script = (request, connection) => {
  const { engine } = connection;
  const kv = engine.kv.put(engine.address, bodyOf(request).prompt);
  connection.send(response(JSON.stringify({ choices: [], kv_transfer_params: { kv } })));
};

/** Answers in one piece, or in chunks some ms apart. */
export const decodes: Script = (request, connection) => {
  const { prompt, max_tokens, stream } = bodyOf(request);
  if (stream !== true) {
    connection.send(response(jsonResponse(prompt)));
    return;
  }
  connection.send(chunkedHead);
  const events = sseEvents(prompt, max_tokens);
  events.forEach((event, i) => {
    const last = i === events.length - 1 ? "0\r\n\r\n" : "";
    connection.after(10 * (i + 1), () => connection.send(chunk(event) + last));
  });
};

/** As an engine of HTTP/1.0 does: what ends the response is the end of the connection. */
export const decodesUntilClosed: Script = (request, { send, after, socket }) => {
  const { prompt, max_tokens, stream } = bodyOf(request);
  send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
  const parts = stream === true ? sseEvents(prompt, max_tokens) : [jsonResponse(prompt)];
  parts.forEach((part, i) => void after(10 * (i + 1), () => send(part)));
  after(10 * parts.length + 10, () => socket.end());
};
