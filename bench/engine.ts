/**
 * The benchmark's engine, a process of its own: pre-rendered answers over raw sockets, cheaper than any proxy in front.
 */

import { createServer, type Server, type Socket } from "node:net";
import {
  COMPLETION_ANSWER,
  PREFILL_ANSWER,
  type RenderedStream,
  renderJsonResponse,
  renderStream,
} from "./payloads.ts";

type Role = "prefill" | "decode";

const HEAD_END = Buffer.from("\r\n\r\n");
/**
 * A body's flags and hand-off are searched only this close to its two ends: a proxy edits there, a prompt lies between.
 */
const WINDOW_BYTES = 2048;
const BODY_BUFFER_BYTES = 128 * 1024;

const counts = {
  prefill: 0,
  prefillWrong: 0,
  decode: 0,
  decodeWithoutKv: 0,
  streams: 0,
  chunks: 0,
  openStreams: 0,
  peakStreams: 0,
  lateTicks: 0,
  connections: 0,
};

let recording = false;
const lastBody: Record<Role, Buffer> = { prefill: Buffer.alloc(0), decode: Buffer.alloc(0) };

let rendered: RenderedStream = renderStream(200);
let tickMs = 4;
/**
 * Streams by their turn: one bucket is served per tick, so that each stream has one chunk every `tickMs *
 * buckets.length`.
 */
let buckets: Connection[][] = [[]];
let turn = 0;
let nextBucket = 0;
let timer = setInterval(tick, tickMs);
let lastTickMs = performance.now();

function setPace(newTickMs: number, bucketCount: number, chunks: number): void {
  tickMs = newTickMs;
  buckets = Array.from({ length: bucketCount }, () => []);
  turn = 0;
  nextBucket = 0;
  rendered = renderStream(chunks);
  clearInterval(timer);
  timer = setInterval(tick, tickMs);
}

function tick(): void {
  const nowMs = performance.now();
  if (nowMs - lastTickMs > tickMs * 2 + 1) counts.lateTicks++;
  lastTickMs = nowMs;
  turn = (turn + 1) % buckets.length;
  const bucket = buckets[turn]!;
  for (let i = bucket.length - 1; i >= 0; i--) {
    if (bucket[i]!.sendNext()) continue;
    bucket[i] = bucket[bucket.length - 1]!;
    bucket.pop();
  }
}

class Connection {
  private readonly socket: Socket;
  private readonly role: Role;
  private carry: Buffer | null = null;
  private head = "";
  private body: Buffer | null = null;
  private bodyBytes = 0;
  private bodyRead = -1;
  private stream: RenderedStream | null = null;
  private sent = 0;

  constructor(socket: Socket, role: Role) {
    this.socket = socket;
    this.role = role;
  }

  onData(data: Buffer): void {
    if (this.carry !== null) {
      data = Buffer.concat([this.carry, data]);
      this.carry = null;
    }
    let at = 0;
    while (at < data.length) {
      if (this.bodyRead < 0) {
        const end = data.indexOf(HEAD_END, at);
        if (end < 0) {
          this.carry = data.subarray(at);
          return;
        }
        this.head = data.toString("latin1", at, end);
        at = end + 4;
        const length = /\r\ncontent-length:[ \t]*(\d+)/i.exec(this.head);
        this.bodyBytes = length === null ? 0 : Number(length[1]);
        this.bodyRead = 0;
      }
      at = this.takeBody(data, at);
    }
  }

  private takeBody(data: Buffer, at: number): number {
    const missing = this.bodyBytes - this.bodyRead;
    const here = Math.min(missing, data.length - at);
    if (this.bodyRead === 0 && here === missing) {
      this.bodyRead = -1;
      this.response(data.subarray(at, at + here));
      return at + here;
    }
    if (this.body === null || this.body.length < this.bodyBytes) {
      this.body = Buffer.allocUnsafeSlow(Math.max(BODY_BUFFER_BYTES, this.bodyBytes));
    }
    data.copy(this.body, this.bodyRead, at, at + here);
    this.bodyRead += here;
    if (this.bodyRead === this.bodyBytes) {
      this.bodyRead = -1;
      this.response(this.body.subarray(0, this.bodyBytes));
    }
    return at + here;
  }

  private response(body: Buffer): void {
    if (this.head.charCodeAt(0) !== 0x50 /* P of POST */) {
      this.socket.write(responseGet(this.head));
      return;
    }
    const edges =
      body.length <= 2 * WINDOW_BYTES
        ? body.toString("latin1", 0, body.length)
        : body.toString("latin1", 0, WINDOW_BYTES) +
          body.toString("latin1", body.length - WINDOW_BYTES, body.length);
    if (recording) lastBody[this.role] = Buffer.from(body);
    const stream = edges.includes('"stream":true');
    if (this.role === "prefill") {
      counts.prefill++;
      if (stream || !/"max_tokens":\s?1[,}\s]/.test(edges)) counts.prefillWrong++;
      this.socket.write(PREFILL_ANSWER);
      return;
    }
    counts.decode++;
    if (!edges.includes('"kv_transfer_params"')) counts.decodeWithoutKv++;
    if (stream) this.startStream();
    else this.socket.write(COMPLETION_ANSWER);
  }

  /** Head and first chunk leave at once, in two writes; the others wait for their ticks. */
  private startStream(): void {
    this.stream = rendered;
    this.sent = 0;
    counts.streams++;
    counts.openStreams++;
    if (counts.openStreams > counts.peakStreams) counts.peakStreams = counts.openStreams;
    this.socket.write(rendered.head);
    this.sendNext();
    buckets[nextBucket]!.push(this);
    nextBucket = (nextBucket + 1) % buckets.length;
  }

  /** Sends one chunk, or the end after the last. @returns false when there is nothing more to send. */
  sendNext(): boolean {
    const stream = this.stream;
    if (stream === null) return false;
    const chunk = stream.chunks[this.sent];
    if (chunk !== undefined) {
      this.sent++;
      counts.chunks++;
      this.socket.write(chunk);
      return true;
    }
    this.endStream();
    this.socket.write(stream.end);
    return false;
  }

  endStream(): void {
    if (this.stream === null) return;
    this.stream = null;
    counts.openStreams--;
  }
}

/**
 * The rig's controls; anything else that a proxy may probe (`/health`, `/v1/models`) is answered with an empty list.
 */
function responseGet(head: string): Buffer {
  const url = new URL(head.split(" ", 2)[1] ?? "/", "http://engine");
  const number = (name: string): number => Number(url.searchParams.get(name));
  let body = '{"object":"list","data":[]}';
  if (url.pathname === "/count") body = JSON.stringify(counts);
  else if (url.pathname === "/reset") reset();
  else if (url.pathname === "/pace") setPace(number("tickMs"), number("buckets"), number("chunks"));
  else if (url.pathname === "/record") recording = number("on") === 1;
  else if (url.pathname === "/last") {
    body = JSON.stringify({
      prefill: lastBody.prefill.toString(),
      decode: lastBody.decode.toString(),
    });
  }
  return renderJsonResponse("200 OK", body);
}

function reset(): void {
  for (const name of Object.keys(counts) as (keyof typeof counts)[]) {
    if (name !== "openStreams" && name !== "connections") counts[name] = 0;
  }
  counts.peakStreams = counts.openStreams;
}

function serve(role: Role): Promise<number> {
  const server: Server = createServer({ noDelay: true }, (socket) => {
    const connection = new Connection(socket, role);
    counts.connections++;
    socket.on("data", (data) => connection.onData(data));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      counts.connections--;
      connection.endStream();
    });
  });
  return new Promise((resolve) => {
    server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
}

const ports = { prefillPort: await serve("prefill"), decodePort: await serve("decode") };
process.stdout.write(`${JSON.stringify(ports)}\n`);
// The rig holds our standard input open: when the rig is gone, so are we.
process.stdin.on("end", () => process.exit(0)).resume();
