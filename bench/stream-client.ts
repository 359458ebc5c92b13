/**
 * Streaming load as a process of its own, over raw sockets. `hold` opens many streams at once and keeps them open
 * together; `latency` runs a few in a closed loop and measures time to first token and the gaps between chunks.
 */

import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { percentile } from "./stats.ts";

export interface ClientOptions {
  readonly mode: "hold" | "latency";
  readonly port: number;
  readonly bodyFile: string;
  /** Chunks that a complete stream has before [DONE]. */
  readonly chunks: number;
  /** hold: how many streams; latency: how many at a time. */
  readonly streams: number;
  /** latency: how long new requests are started. */
  readonly durationMs: number;
  /** latency: each request waits up to so long at random, so that the streams don't march in step. */
  readonly jitterMs: number;
}

export interface HoldResult {
  readonly completed: number;
  readonly errors: number;
  readonly firstError: string;
}

export interface LatencyResult extends HoldResult {
  readonly ttftP50Ms: number;
  readonly ttftP99Ms: number;
  readonly itlP50Ms: number;
  readonly itlP99Ms: number;
  /** Share of chunks that arrived in one read with their predecessor. */
  readonly coalesced: number;
}

const LF = 10;
const EVENT_END = Buffer.from("\n\n");
const BODY_END = Buffer.from("\r\n0\r\n\r\n");
const STATUS_OK = "HTTP/1.1 200 ";
/** How many hold streams may wait for their first chunk, so that a listener's backlog isn't what is tested. */
const OPENING_AT_ONCE = 64;
/** A source address has about 28,000 ports; a second and third are used long before they run short. */
const STREAMS_PER_ADDRESS = 8000;
const STREAM_LIMIT_MS = 120_000;

const options = JSON.parse(process.argv[2] ?? "{}") as ClientOptions;
const body = readFileSync(options.bodyFile);
const request = Buffer.concat([
  Buffer.from(
    `POST /v1/completions HTTP/1.1\r\nhost: 127.0.0.1:${options.port}\r\nuser-agent: bench\r\n` +
      `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`,
  ),
  body,
]);

const ttftsMs: number[] = [];
const gapsMs: number[] = [];
let coalesced = 0;
let chunksSeen = 0;
let completed = 0;
let errors = 0;
let firstError = "";

/** One connection and, one after the other, its streams. */
class StreamClient {
  private readonly socket: Socket;
  private readonly onFirst: () => void;
  private readonly onEnd: () => void;
  private sentAtMs = 0;
  private lastAtMs = 0;
  private streams = 0;
  private events = 0;
  private lastByte = 0;
  private tail: Buffer = Buffer.alloc(0);
  private open = false;

  constructor(index: number, onFirst: () => void, onEnd: () => void) {
    this.onFirst = onFirst;
    this.onEnd = onEnd;
    const address = 1 + Math.floor(index / STREAMS_PER_ADDRESS);
    this.socket = connect({
      port: options.port,
      host: "127.0.0.1",
      noDelay: true,
      ...(address > 1 ? { localAddress: `127.0.0.${address}` } : {}),
    });
    this.socket.on("data", (data) => this.onData(data));
    this.socket.on("error", (error) => this.fail(String(error)));
    this.socket.on("close", () => this.fail("closed before the end of the stream"));
  }

  send(): void {
    this.open = true;
    this.streams++;
    this.events = 0;
    this.lastByte = 0;
    this.tail = Buffer.alloc(0);
    this.sentAtMs = performance.now();
    this.socket.write(request);
  }

  private onData(data: Buffer): void {
    if (!this.open) {
      this.open = true;
      this.fail("data after the end of the stream");
      return;
    }
    const nowMs = performance.now();
    if (this.events === 0 && this.tail.length === 0) {
      const status = data.toString("latin1", 0, STATUS_OK.length);
      if (status !== STATUS_OK) {
        this.fail(`answer is ${status}`);
        return;
      }
    }
    const before = this.events;
    this.countEvents(data);
    if (this.events > before) this.note(nowMs, before);
    this.tail = data.length >= BODY_END.length ? data : Buffer.concat([this.tail, data]);
    if (this.tail.subarray(-BODY_END.length).equals(BODY_END)) this.finish();
  }

  /** An event ends with an empty line; in chunked framing no other two line feeds stand together. */
  private countEvents(data: Buffer): void {
    if (this.lastByte === LF && data[0] === LF) this.events++;
    this.lastByte = data[data.length - 1]!;
    for (let at = data.indexOf(EVENT_END); at >= 0; at = data.indexOf(EVENT_END, at + 2)) {
      this.events++;
    }
  }

  /** A connection's first stream counts for nothing: it measures the connecting and this client's own cold code. */
  private note(nowMs: number, before: number): void {
    // [DONE] is no token.
    const chunks = Math.min(this.events, options.chunks) - before;
    if (before === 0) {
      if (this.streams > 1) ttftsMs.push(nowMs - this.sentAtMs);
      this.onFirst();
    } else if (chunks > 0 && this.streams > 1) {
      gapsMs.push(nowMs - this.lastAtMs);
    }
    if (chunks > 0) {
      coalesced += chunks - 1;
      chunksSeen += chunks;
    }
    this.lastAtMs = nowMs;
  }

  private finish(): void {
    if (this.events !== options.chunks + 1) {
      this.fail(`${this.events} events instead of ${options.chunks + 1}`);
      return;
    }
    this.open = false;
    completed++;
    this.onEnd();
  }

  private fail(reason: string): void {
    if (!this.open) return;
    this.open = false;
    errors++;
    if (firstError === "") firstError = reason;
    this.socket.destroy();
    if (this.events === 0) this.onFirst();
    this.onEnd();
  }

  close(): void {
    this.open = false;
    this.socket.destroy();
  }
}

function hold(): Promise<void> {
  return new Promise((resolve) => {
    let opened = 0;
    let opening = 0;
    let ended = 0;
    const clients: StreamClient[] = [];
    const openMore = (): void => {
      while (opened < options.streams && opening < OPENING_AT_ONCE) {
        opening++;
        const client = new StreamClient(
          opened++,
          () => {
            opening--;
            openMore();
          },
          () => {
            if (++ended < options.streams) return;
            for (const each of clients) each.close();
            resolve();
          },
        );
        clients.push(client);
        client.send();
      }
    };
    openMore();
  });
}

function latency(): Promise<void> {
  return new Promise((resolve) => {
    const untilMs = performance.now() + options.durationMs;
    let running = options.streams;
    for (let i = 0; i < options.streams; i++) {
      const again = (): void => {
        if (performance.now() < untilMs && errors === 0) {
          setTimeout(() => client.send(), Math.random() * options.jitterMs);
          return;
        }
        client.close();
        if (--running === 0) resolve();
      };
      const client = new StreamClient(i, () => {}, again);
      again();
    }
  });
}

const giveUp = setTimeout(() => {
  process.stderr.write(`streams did not end: ${completed} completed, ${errors} errors\n`);
  process.exit(1);
}, STREAM_LIMIT_MS);
await (options.mode === "hold" ? hold() : latency());
clearTimeout(giveUp);
const result: LatencyResult = {
  completed,
  errors,
  firstError,
  ttftP50Ms: percentile(ttftsMs, 0.5),
  ttftP99Ms: percentile(ttftsMs, 0.99),
  itlP50Ms: percentile(gapsMs, 0.5),
  itlP99Ms: percentile(gapsMs, 0.99),
  coalesced: coalesced / chunksSeen,
};
process.stdout.write(`${JSON.stringify(result)}\n`);
