/**
 * Measures the proxy's memory under loads that try to fill it, against the formula of docs/operations.md, and what is
 * left of it afterwards: `npm run test:memory`, or a minute of it with `-- --short`. Engines and clients are in this
 * process, everything is on loopback. Exits with 1 if the proxy takes more than the formula allows, or keeps too much.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import * as limits from "../dist/limits.js";

const { values } = parseArgs({
  options: {
    runtime: { type: "string", default: "bun,node" },
    short: { type: "boolean", default: false },
    load: { type: "string", default: "bodies,chunked-bodies,unread,endless-event" },
    bodies: { type: "string" },
    "body-mb": { type: "string", default: "60" },
    clients: { type: "string" },
    "event-mb": { type: "string" },
  },
});
const megabyte = 1_048_576;
const bodies = Number(values.bodies ?? (values.short ? 5 : 20));
const bodyBytes = Number(values["body-mb"]) * 1_000_000;
const clients = Number(values.clients ?? (values.short ? 300 : 5_000));
const eventBytes = Number(values["event-mb"] ?? (values.short ? 100 : 500)) * 1_000_000;
/** Time for the memory to come back. */
const restMs = 30_000;
const restFactor = 1.5;
/**
 * What Node keeps besides for each client that had not read its stream: glibc gives memory back only from the end of
 * its arenas, and small blocks that stay in use lie behind the buffers. It is about what one read of its engine is.
 */
const keptBytes = { node: 65_536, bun: 0 };
/** Longest time for what clients do not read to fill all buffers. */
const fillMs = 180_000;

const failures = [];

async function listening(onConnection) {
  const server = createServer(onConnection).listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, port: server.address().port };
}

/** What the decode engine does once a request has come in full. */
let respond = (socket) => socket.end(jsonResponse("{}"));

function jsonResponse(text, more = "") {
  return `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n${more}Content-Length: ${text.length}\r\n\r\n${text}`;
}
const streamHead =
  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";

/** Reads one request per connection, its body by its length, and responds. */
function engine(onRequest) {
  return (socket) => {
    let head = "";
    let missing = -1;
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      if (missing < 0) {
        head += chunk.toString("latin1");
        const end = head.indexOf("\r\n\r\n");
        if (end < 0) return;
        missing = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0) - (head.length - end - 4);
        head = "";
      } else missing -= chunk.length;
      if (missing > 0) return;
      missing = -1;
      onRequest(socket);
    });
  };
}

function rssOf(pid) {
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(text)[1]) * 1024;
}

/** Watches the memory while a load runs. */
async function peakWhile(pid, work) {
  let peak = 0;
  let isDone = false;
  const done = work().finally(() => {
    isDone = true;
  });
  while (!isDone) {
    peak = Math.max(peak, rssOf(pid));
    await sleep(20);
  }
  await done;
  return peak;
}

function request(length, more = "") {
  const size =
    length === undefined ? "Transfer-Encoding: chunked\r\n" : `Content-Length: ${length}\r\n`;
  return `POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n${size}${more}\r\n`;
}

/** Writes one body; resolves with the response's first line. */
async function upload(port, isChunked) {
  const socket = connect(port, "127.0.0.1");
  let wake = () => {};
  socket.on("error", () => {});
  socket.on("drain", () => wake());
  socket.on("close", () => wake());
  const pieceBytes = 100_000;
  const piece = Buffer.alloc(pieceBytes, "a");
  const before = '{"max_tokens":1,"prompt":"';
  const bytes = before.length + bodyBytes + 2;
  const put = async (data) => {
    const framed = isChunked
      ? Buffer.concat([
          Buffer.from(`${data.length.toString(16)}\r\n`),
          Buffer.from(data),
          Buffer.from("\r\n"),
        ])
      : data;
    if (!socket.write(framed) && !socket.destroyed) {
      await new Promise((resolve) => {
        wake = resolve;
      });
    }
  };
  const answer = new Promise((resolve) => {
    socket.once("data", (data) => resolve(String(data).split("\r\n")[0]));
    socket.once("close", () => resolve("closed"));
  });
  socket.write(request(isChunked ? undefined : bytes));
  await put(before);
  for (let sent = 0; sent < bodyBytes && !socket.destroyed; sent += pieceBytes) {
    await put(piece.subarray(0, Math.min(pieceBytes, bodyBytes - sent)));
  }
  await put('"}');
  if (isChunked) socket.write("0\r\n\r\n");
  const line = await answer;
  socket.destroy();
  return line;
}

/** All bodies stand in memory at once: the engine responds only when it has all of them. */
async function uploads(port, isChunked) {
  const waiting = [];
  respond = (socket) => {
    waiting.push(socket);
    if (waiting.length < bodies) return;
    for (const one of waiting) one.end(jsonResponse('{"choices":[]}'));
  };
  const lines = await Promise.all(Array.from({ length: bodies }, () => upload(port, isChunked)));
  const wrong = lines.filter((line) => !line.includes(" 200 "));
  if (wrong.length > 0) failures.push(`${wrong.length} of ${bodies} bodies failed: ${wrong[0]}`);
}

/** Clients that ask for a stream and never read it. */
async function unread(port) {
  const piece = Buffer.from(`data: ${"a".repeat(16_000)}\n\n`);
  let sent = 0;
  const engines = [];
  respond = (socket) => {
    socket.write(streamHead);
    socket.write(piece);
    engines.push(socket);
  };
  const fill = (socket) => {
    const more = () => {
      while (!socket.destroyed && socket.writableLength < 262_144) {
        socket.write(piece);
        sent += piece.length;
      }
    };
    socket.on("drain", more);
    more();
  };
  const sockets = [];
  const body = '{"prompt":"a","stream":true}';
  for (let count = 0; count < clients; count += 1) {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.on("error", () => {});
    socket.pause();
    socket.write(request(body.length) + body);
    sockets.push(socket);
    if (count % 100 === 99) await sleep(20);
  }
  const endMs = performance.now() + fillMs;
  while (performance.now() < endMs && engines.length < clients) await sleep(200);
  // A few at a time, each until nothing moves: a proxy that has gigabytes to read at once does nothing else for seconds.
  for (let first = 0; performance.now() < endMs && first < engines.length; first += 100) {
    for (const socket of engines.slice(first, first + 100)) fill(socket);
    for (let before = -1; before !== sent; await sleep(50)) before = sent;
  }
  if (engines.length < clients)
    failures.push(`unread: only ${engines.length} of ${clients} streams began`);
  for (const socket of sockets) socket.destroy();
  await sleep(500);
}

/** One event without an end, which its client reads. */
async function endlessEvent(port) {
  const piece = Buffer.alloc(65_536, "a");
  respond = (socket) => {
    socket.write(`${streamHead}data: `);
    let sent = 0;
    const more = () => {
      while (sent < eventBytes) {
        sent += piece.length;
        if (!socket.write(piece)) return;
      }
      socket.end("\n\ndata: [DONE]\n\n");
    };
    socket.on("drain", more);
    more();
  };
  const body = '{"prompt":"a","stream":true}';
  const socket = connect(port, "127.0.0.1");
  let got = 0;
  socket.on("error", () => {});
  socket.on("data", (data) => {
    got += data.length;
  });
  socket.write(request(body.length, "Connection: close\r\n") + body);
  await once(socket, "close");
  if (got < eventBytes) failures.push(`endless-event: ${got} of ${eventBytes} bytes came`);
}

/** The formula of docs/operations.md, for one worker, in bytes. */
function allowed(runtime, idle, load) {
  const { connectionBytesUsual, garbageBytesUsual, relayPendingTotalBytesMax } = limits;
  return (
    idle +
    (load.bodyBytes ?? 0) +
    (load.streams === undefined ? 0 : relayPendingTotalBytesMax) +
    (load.streams ?? 0) * connectionBytesUsual +
    garbageBytesUsual[runtime]
  );
}

const loads = {
  bodies: { run: (port) => uploads(port, false), bodyBytes: bodies * bodyBytes },
  "chunked-bodies": { run: (port) => uploads(port, true), bodyBytes: bodies * bodyBytes },
  unread: { run: unread, streams: clients },
  "endless-event": { run: endlessEvent, streams: 1 },
};

async function measure(runtime) {
  const folder = mkdtempSync(join(tmpdir(), "global-proxy-memory-"));
  const decode = await listening(engine((socket) => respond(socket)));
  const prefillJson = JSON.stringify({
    choices: [{ index: 0, text: "a", finish_reason: "length" }],
    kv_transfer_params: {
      remote_engine_id: "a",
      remote_block_ids: [1],
      remote_host: "a",
      remote_port: 1,
    },
  });
  const prefill = await listening(engine((socket) => socket.write(jsonResponse(prefillJson))));
  const { server, port } = await listening(() => {});
  server.close();
  const url = (of) => `http://127.0.0.1:${of.port}`;
  const config = `errorLog: { level: error }
bodyBytesTotalMax: ${2048 * megabyte}
pools:
  prefill: { engines: [{ url: "${url(prefill)}" }] }
  decode: { policy: { name: least_conn }, engines: [{ url: "${url(decode)}" }] }
servers:
  - listen: [{ host: 127.0.0.1, port: ${port} }]
    routes:
      - { match: { path: / }, dialect: vllm-nixl, bodyBytesMax: ${128 * megabyte}, clientSendTimeoutMs: 600000,
          prefill: { pool: prefill }, target: { pool: decode } }
`;
  const file = join(folder, "proxy.yaml");
  writeFileSync(file, config);
  const proxy = spawn("bin/global-proxy", ["-c", file], {
    env: { ...process.env, GLOBAL_PROXY_RUNTIME: runtime, NO_COLOR: "1" },
    stdio: ["ignore", "inherit", "pipe"],
  });
  proxy.stderr.on("data", (text) => {
    process.stderr.write(text);
    // A load that ends the worker frees its memory: that is no pass.
    if (/\[(alert|emerg)\]/.test(text)) failures.push(`${runtime}: ${String(text).trim()}`);
  });
  await once(proxy.stderr, "data");
  try {
    await sleep(1_000);
    const idle = rssOf(proxy.pid);
    process.stdout.write(`${runtime}: idle ${mb(idle)}\n`);
    for (const name of values.load.split(",")) {
      const load = loads[name];
      const peak = await peakWhile(proxy.pid, () => load.run(port));
      const max = allowed(runtime, idle, load);
      const restMax = idle * restFactor + (load.streams ?? 0) * keptBytes[runtime];
      const startMs = performance.now();
      while (performance.now() - startMs < restMs && rssOf(proxy.pid) > restMax) await sleep(200);
      const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
      const rest = rssOf(proxy.pid);
      process.stdout.write(
        `${name}: at most ${mb(peak)}, the formula allows ${mb(max)}; after ${seconds} s ${mb(rest)}\n`,
      );
      if (peak > max) failures.push(`${runtime}, ${name}: ${mb(peak)} are more than ${mb(max)}`);
      if (rest > restMax) failures.push(`${runtime}, ${name}: ${mb(rest)} are left of it`);
    }
  } finally {
    proxy.kill("SIGKILL");
    await once(proxy, "exit");
    decode.server.close();
    prefill.server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function mb(bytes) {
  return `${Math.round(bytes / megabyte)} MiB`;
}

for (const runtime of values.runtime.split(",")) await measure(runtime);
for (const failure of failures) process.stderr.write(`memory: ${failure}\n`);
process.exit(failures.length > 0 ? 1 : 0);
