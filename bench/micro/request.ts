// User time of one P/D request inside the proxy: the real service, on sockets that cost nothing. What is left out is
// what the kernel and the runtime's sockets take. Each chunk is a fresh copy, as from a socket.
//   npx bun bench/micro/request.ts [prefill policy] [requests at once] [shadow]
//   npx bun build --target=node --outfile=/tmp/request-bench.mjs bench/micro/request.ts && node /tmp/request-bench.mjs

import { parseFlags } from "../../src/config/flags/parse-flags.ts";
import { listenKey } from "../../src/config/values/listen-key.ts";
import { systemIds } from "../../src/dialects/shared/id-generator.ts";
import { SlotTable } from "../../src/pool/slots.ts";
import { Worker } from "../../src/proxy/worker/worker.ts";
import { createScoreboardMemory, Scoreboard } from "../../src/scoreboard/scoreboard.ts";
import { systemClock } from "../../src/transport/clock.ts";
import type { Socket, SocketHandler, Transport } from "../../src/transport/socket.ts";
import { COMPLETION_ANSWER, PREFILL_ANSWER, renderRequest } from "../payloads.ts";

const ROUNDS = 15;
const REQUESTS_PER_ROUND = 20_000;

/** What was written and is to be answered; worked off in a loop, so that no call nests in the one before. */
const written: FakeSocket[] = [];
let answered = 0;

class FakeSocket implements Socket {
  readonly tls = undefined;
  handler!: SocketHandler;
  readonly pendingBytes = 0;
  readonly writeQueueBytes = 0;
  readonly remoteAddress = "127.0.0.1";
  readonly remotePort = 1;
  readonly localAddress = "127.0.0.1";
  readonly localPort = 2;
  readonly #response: Buffer | undefined;
  #up = false;

  constructor(response: Buffer | undefined) {
    this.#response = response;
  }
  /** The first request on an engine's connection is written before it is up. */
  connected(): void {
    this.handler.onConnect();
    this.#up = true;
    written.push(this);
  }
  write(): void {
    if (this.#response === undefined) answered += 1;
    else if (this.#up) written.push(this);
  }
  response(): void {
    this.handler.onData(Buffer.from(this.#response!));
  }
  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}
  reset(): void {}
}

const prefillPort = 9001;
const transport: Transport = {
  listen: () => Promise.reject(new Error("unused")),
  connect({ port }, handler) {
    const socket = new FakeSocket(port === prefillPort ? PREFILL_ANSWER : COMPLETION_ANSWER);
    socket.handler = handler;
    queueMicrotask(() => socket.connected());
    return socket;
  },
};

const parsed = parseFlags({
  prefill: [`http://127.0.0.1:${prefillPort}`],
  decode: ["http://127.0.0.1:9002"],
  // As the seed has it; `predictive` adds what holding costs.
  prefillPolicy: process.argv[2] ?? "length_balance",
  decodePolicy: "least_conn",
  ...(process.argv[4] && { shadow: process.argv[4] }),
});
if (!("config" in parsed)) throw new Error("bad flags");
const { config } = parsed;
const boardOf = () => new Scoreboard(createScoreboardMemory({ workers: 1, slots: 2 }), 0);
const board = boardOf();
const worker = new Worker({
  transport,
  clock: systemClock,
  board,
  shadowBoard: boardOf(),
  random: Math.random,
  ids: systemIds,
  openLog: () => ({ write: () => {} }),
  log: (_level, message) => process.stderr.write(`${message}\n`),
});
worker.apply(config, new SlotTable(2, (slot) => board.clearSlot(slot)).assign(config));

const body = renderRequest(2048, false);
const request = Buffer.concat([
  Buffer.from(
    "POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/json\r\n" +
      `Content-Length: ${body.length}\r\n\r\n`,
  ),
  body,
]);
const key = listenKey(config.servers[0]!.listen[0]!);
/** Fewer than a connection may have by default. */
const REQUESTS_PER_CONNECTION = 500;

/** Requests under way at once: what is held waits for those before it. */
const CLIENTS = Number(process.argv[3] ?? 1);

function openClient(): FakeSocket {
  const client = new FakeSocket(undefined);
  worker.accept(client, key);
  return client;
}

async function serve(requests: number): Promise<void> {
  const clients = Array.from({ length: CLIENTS }, openClient);
  for (let sent = 0; sent < requests; sent += CLIENTS) {
    const until = answered + CLIENTS;
    for (let i = 0; i < CLIENTS; i += 1) {
      if ((sent / CLIENTS) % REQUESTS_PER_CONNECTION === REQUESTS_PER_CONNECTION - 1) {
        clients[i]!.handler.onClose(undefined);
        clients[i] = openClient();
      }
      clients[i]!.handler.onData(Buffer.from(request));
    }
    while (answered < until) {
      for (let socket = written.shift(); socket; socket = written.shift()) socket.response();
      // The first requests open their connections.
      if (answered < until) await Promise.resolve();
    }
  }
  for (const client of clients) client.handler.onClose(undefined);
}

const roundsNs: number[] = [];
await serve(REQUESTS_PER_ROUND);
for (let round = 0; round < ROUNDS; round += 1) {
  const started = process.cpuUsage();
  await serve(REQUESTS_PER_ROUND);
  const { user, system } = process.cpuUsage(started);
  roundsNs.push(((user + system) * 1000) / REQUESTS_PER_ROUND);
}
roundsNs.sort((a, b) => a - b);
const runtime = process.versions["bun"] ? `bun ${process.versions["bun"]}` : process.version;
process.stdout.write(
  `${runtime}: ${roundsNs[ROUNDS >> 1]!.toFixed(0)} ns of CPU a request ` +
    `(${roundsNs[0]!.toFixed(0)}..${roundsNs.at(-1)!.toFixed(0)})\n`,
);
