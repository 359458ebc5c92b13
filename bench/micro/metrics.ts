// What metrics cost in the proxy: user time of P/D requests, and of streamed chunks, with them and without, by turns in
// one process on sockets that cost nothing. Short turns, so that other programs disturb both alike.
//   npx bun bench/micro/metrics.ts
//   npx bun build --target=node --outfile=/tmp/metrics-bench.mjs bench/micro/metrics.ts && node /tmp/metrics-bench.mjs

import { parseFlags } from "../../src/config/flags/parse-flags.ts";
import { listenKey } from "../../src/config/values/listen-key.ts";
import { systemIds } from "../../src/dialects/shared/id-generator.ts";
import { createMetricsMemory, MetricsMemory } from "../../src/observe/metrics/metrics-memory.ts";
import { SlotTable } from "../../src/pool/slots.ts";
import { Worker } from "../../src/proxy/worker/worker.ts";
import { createScoreboardMemory, Scoreboard } from "../../src/scoreboard/scoreboard.ts";
import { systemClock } from "../../src/transport/clock.ts";
import type { Socket, SocketHandler, Transport } from "../../src/transport/socket.ts";
import { COMPLETION_ANSWER, PREFILL_ANSWER, renderRequest } from "../payloads.ts";

const TURNS = 80;
const CHUNKS = 200;

const written: FakeSocket[] = [];
let answered = 0;
let isStream = false;

const streamHead =
  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const event =
  'data: {"id":"cmpl-0123456789abcdef","object":"text_completion","created":1700000000,"model":"m",' +
  '"choices":[{"index":0,"text":" token","logprobs":null,"finish_reason":null}]}\n\n';
const chunk = Buffer.from(`${event.length.toString(16)}\r\n${event}\r\n`);
const done = Buffer.from("e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");

class FakeSocket implements Socket {
  readonly tls = undefined;
  handler!: SocketHandler;
  readonly pendingBytes = 0;
  readonly writeQueueBytes = 0;
  readonly remoteAddress = "127.0.0.1";
  readonly remotePort = 1;
  readonly localAddress = "127.0.0.1";
  readonly localPort = 2;
  readonly #role: "client" | "prefill" | "decode";
  #up = false;

  constructor(role: "client" | "prefill" | "decode") {
    this.#role = role;
  }
  connected(): void {
    this.handler.onConnect();
    this.#up = true;
    written.push(this);
  }
  write(bytes: Buffer, start = 0, end = bytes.length): void {
    if (this.#role !== "client") {
      if (this.#up) written.push(this);
    } else if (!isStream || bytes[end - 3] === 0x0a || end - start < 40) answered += 1;
  }
  response(): void {
    if (this.#role === "prefill" || !isStream) {
      const text = this.#role === "prefill" ? PREFILL_ANSWER : COMPLETION_ANSWER;
      this.handler.onData(Buffer.from(text));
      return;
    }
    this.handler.onData(Buffer.from(streamHead));
    for (let i = 0; i < CHUNKS; i += 1) this.handler.onData(Buffer.from(chunk));
    this.handler.onData(Buffer.from(done));
  }
  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}
  reset(): void {}
}

const transport: Transport = {
  listen: () => Promise.reject(new Error("unused")),
  connect({ port }, handler) {
    const socket = new FakeSocket(port === 9001 ? "prefill" : "decode");
    socket.handler = handler;
    queueMicrotask(() => socket.connected());
    return socket;
  },
};

function configOf(metrics: string) {
  const parsed = parseFlags({
    prefill: ["http://127.0.0.1:9001"],
    decode: ["http://127.0.0.1:9002"],
    prefillPolicy: "length_balance",
    decodePolicy: "least_conn",
    metrics,
  });
  if (!("config" in parsed)) throw new Error("bad flags");
  return parsed.config;
}

const [on, off] = [configOf("9902"), configOf("off")];
const boardOf = () => new Scoreboard(createScoreboardMemory({ workers: 1, slots: 2 }), 0);
const board = boardOf();
const worker = new Worker({
  transport,
  clock: systemClock,
  board,
  shadowBoard: boardOf(),
  metrics: new MetricsMemory(createMetricsMemory(1), 1, 0),
  random: Math.random,
  ids: systemIds,
  openLog: () => ({ write: () => {} }),
  log: (_level, message) => process.stderr.write(`${message}\n`),
});
const slots = new SlotTable(2, (slot) => board.clearSlot(slot)).assign(on);
const key = listenKey(on.servers[0]!.listen[0]!);

function requestOf(stream: boolean): Buffer {
  const body = renderRequest(2048, stream);
  const head =
    "POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n" +
    `Content-Length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}

/** @returns ns of CPU time for each */
async function turn(config: typeof on, request: Buffer, requests: number): Promise<number> {
  worker.apply(config, slots);
  const client = new FakeSocket("client");
  worker.accept(client, key);
  const started = process.cpuUsage();
  for (let sent = 0; sent < requests; sent += 1) {
    const before = answered;
    client.handler.onData(Buffer.from(request));
    for (let idle = 0; idle < 3; ) {
      const socket = written.shift();
      if (socket !== undefined) socket.response();
      else {
        await Promise.resolve();
        idle = written.length > 0 || answered === before ? 0 : idle + 1;
      }
    }
  }
  const { user, system } = process.cpuUsage(started);
  client.handler.onClose(undefined);
  return ((user + system) * 1_000) / requests;
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1]!;
}

for (const [name, stream, requests, per] of [
  ["request", false, 400, 1],
  ["chunk", true, 20, CHUNKS],
] as const) {
  isStream = stream;
  const request = requestOf(stream);
  for (let warm = 0; warm < 10; warm += 1) await turn(warm % 2 ? on : off, request, requests);
  const [withThem, without]: [number[], number[]] = [[], []];
  for (let i = 0; i < TURNS; i += 1) {
    const first = i % 2 === 0;
    const one = await turn(first ? on : off, request, requests);
    const other = await turn(first ? off : on, request, requests);
    withThem.push((first ? one : other) / per);
    without.push((first ? other : one) / per);
  }
  const more = withThem.map((ns, i) => ns - without[i]!);
  const [a, b, d] = [median(withThem), median(without), median(more)].map((ns) => ns.toFixed(0));
  process.stdout.write(`${name}: ${a} ns with metrics, ${b} without; median of pairs +${d} ns\n`);
}
