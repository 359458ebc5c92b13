/**
 * Stands in for the real worker: keeps the protocol of src/proxy/worker/messages.ts over node:net, says in its answers which
 * configuration it serves by, and misbehaves when a request asks for it. (node:http of Bun 1.4 does not know `reusePort`.)
 */
import { createServer } from "node:net";
import { parentPort, workerData } from "node:worker_threads";

const servers = new Map();
const sockets = new Set();
const held = new Set();
let generation = 0;
let config;
let reopened = 0;
let onDrained;

const beats = new Int32Array(workerData.heartbeats);
const ticker = setInterval(() => Atomics.add(beats, workerData.workerIndex, 1), 50);

function serve(socket) {
  sockets.add(socket);
  socket.on("error", () => {});
  socket.on("close", () => {
    sockets.delete(socket);
    held.delete(socket);
    if (held.size === 0) onDrained?.();
  });
  socket.once("data", (data) => answer(String(data).split(" ")[1], socket));
}

function answer(path, socket) {
  if (path === "/throw") {
    setImmediate(() => {
      throw new Error("thrown on request");
    });
    return;
  }
  if (path === "/exit") process.exit(7);
  const head = "HTTP/1.1 200 OK\r\nconnection: close\r\n";
  if (path === "/spin") {
    // Once the head has gone out, so that the client knows when it spins.
    socket.write(`${head}content-length: 1\r\n\r\n`, () => {
      for (;;);
    });
    return;
  }
  if (path === "/hold") {
    // The head goes out at once, so that the client knows the request is in flight; the rest comes at the drain.
    held.add(socket);
    socket.write(`${head}content-length: 13\r\n\r\nheld `);
    if (onDrained !== undefined) socket.end("finished");
    return;
  }
  const { workerIndex: worker, workers } = workerData;
  const pools = Object.keys(config.pools);
  const body = JSON.stringify({ worker, workers, generation, reopened, pools });
  socket.end(`${head}content-length: ${body.length}\r\n\r\n${body}`);
}

async function apply(message) {
  const wanted = new Map();
  for (const { listen } of message.config.servers) {
    for (const one of listen) wanted.set(one.unixPath ?? `${one.host}:${one.port}`, one);
  }
  for (const [key, { host, port, unixPath: path, reusePort }] of wanted) {
    if (servers.has(key)) continue;
    const server = createServer(serve);
    try {
      await new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen(path === undefined ? { host, port, reusePort } : { path }, resolve);
      });
    } catch ({ code }) {
      const reason = code === "EADDRINUSE" ? "98: Address already in use" : code;
      const text = `bind() to ${key} failed (${reason})`;
      parentPort.postMessage({
        type: "failed",
        generation: message.generation,
        message: text,
        code,
      });
      return;
    }
    servers.set(key, server);
  }
  for (const [key, server] of servers) {
    if (wanted.has(key)) continue;
    server.close();
    servers.delete(key);
  }
  ({ config, generation } = message);
  const addresses = [...wanted.values()].map(({ host, port, unixPath }) =>
    unixPath === undefined ? { host, port } : { unixPath },
  );
  parentPort.postMessage({ type: "listening", generation, addresses });
}

function drain() {
  for (const server of servers.values()) server.close();
  onDrained = () => parentPort.postMessage({ type: "drained" });
  for (const socket of held) socket.end("finished");
  if (held.size === 0) onDrained();
}

parentPort.on("message", (message) => {
  if (message.type === "apply") void apply(message);
  if (message.type === "reopen") reopened += 1;
  if (message.type === "drain") drain();
  // It has nothing to say, in particular not which sockets it has.
  if (message.type === "question") parentPort.postMessage({ type: "response", id: message.id });
  if (message.type === "stop") {
    for (const server of servers.values()) server.close();
    for (const socket of sockets) socket.destroy();
    clearInterval(ticker);
    parentPort.close();
  }
});
