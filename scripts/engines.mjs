/**
 * One bad engine among good ones, with real processes: whatever it does, on either leg, requests that a healthy engine
 * could have served are right, and what fails fails within its time-out.
 *
 *     npm run test:engines                                   three dialects of different kinds, three faults
 *     npm run test:engines -- --short                        two minutes, for CI: how fast the machine is decides nothing
 *     npm run test:engines -- --dialect all --fault all      every fault at each leg, of every dialect
 *     npm run test:engines -- --dialect sglang --fault hang --runtime node --engines 2,4 --wait 60000,2000
 *
 * Prints one line a cell, and exits with 1 if a cell has less than 99 %. Everything is on loopback.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { freePorts } from "./support/ports.mjs";

/**
 * In place of the defaults: dialects of each order of legs, and few clients, who wait so long that a slow machine loses
 * no response.
 */
const shortForm = {
  dialect: "omni,sglang,vllm-ascend-layerwise,plain",
  // An odd number, so that each of them meets both runtimes.
  fault: "500,junk-html,hang",
  clients: "12",
  "in-turn": true,
};

/** Of what a healthy engine could have served. */
const rightShareMin = 0.99;
/** More than the proxy's own time-outs for engines. */
const lossMsMax = 61_000;
/** A response whose first byte comes so soon after the turn may still be from before it. */
const graceMs = 300;

const bootstrap = ({ role, sidePort }) => (role === "prefill" ? `bootstrap_port=${sidePort}` : "");
const notify = ({ sidePort }) => `notify_port=${sidePort}&tp_size=1&dp_size=1`;

/** `engine`: the engines' `--dialect`, if it is another; `query`: what the proxy has to know of an engine. */
const dialects = {
  omni: {},
  "vllm-nixl": {},
  "vllm-ascend": {},
  "vllm-ascend-layerwise": {},
  "vllm-mooncake": { query: bootstrap },
  "vllm-mooncake-v0": { engine: "vllm-mooncake:generation=older", query: bootstrap },
  "vllm-p2p-nccl": { query: ({ sidePort }) => `kv_port=${sidePort}` },
  "moriio-read": { query: notify },
  "moriio-write": { query: notify },
  "shared-storage": { engine: "shared-storage:path=kv" },
  "cache-threshold": { engine: "cache-threshold:path=kv" },
  sglang: { query: bootstrap },
  trtllm: {},
  "trtllm-gen-first": {
    engine: "trtllm",
    query: ({ role, sidePort }) =>
      role === "prefill" ? `ctx_info_endpoint=tcp://127.0.0.1:${sidePort}` : "",
  },
  plain: { engine: "omni" },
};

/** An engine that takes longer is started again. */
const debugTimeoutMs = 10_000;

/** On a connection of its own, since an engine may be about to close those that are idle. */
async function debug(engine, what, init) {
  const headers = { connection: "close" };
  const timeout = AbortSignal.timeout(debugTimeoutMs);
  const response = await fetch(`${engine.url}/debug/${what}`, {
    ...init,
    headers,
    signal: timeout,
  });
  if (!response.ok) throw new Error(await response.text());
  await response.body?.cancel();
  return true;
}

const setFault = (fault) => (engine) =>
  debug(engine, "fault", { method: "POST", body: JSON.stringify(fault) });
const signal = (name) => (engine) => engine.child.kill(name);

/** Bad for so long, then good for so long, and so on. */
const turnMs = 2_000;
const inTurns = (bad, good) => async (engine) => {
  let isBad = false;
  const turn = () => {
    isBad = !isBad;
    // One that hangs or is gone meanwhile shows in the clients' responses.
    return Promise.resolve((isBad ? bad : good)(engine)).catch(() => {});
  };
  engine.turns = setInterval(turn, turnMs);
  await turn();
};

/** Listens, and never accepts: once the kernel's queue is full, connects get no response. */
const neverAccepts = (port) => `
  const listening = () => {
    process.stdout.write("listens\\n");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  };
  require("node:net").createServer().listen({ port: ${port}, host: "127.0.0.1", backlog: 1 }, listening);`;
const queueFillers = 4;
async function fillQueue(engine) {
  await end(engine.child);
  engine.child = start(process.execPath, ["-e", neverAccepts(engine.port)]);
  await once(engine.child.stdout, "data");
  for (let i = 0; i < queueFillers; i += 1)
    connect(engine.port, "127.0.0.1")
      .on("error", () => {})
      .unref();
}

/** How an engine turns bad. */
const faults = {
  refuse: setFault({ kind: "refuse" }),
  kill: signal("SIGKILL"),
  reset: setFault({ kind: "reset-before-headers" }),
  "reset-in-head": setFault({ kind: "reset-in-headers" }),
  "reset-after-head": setFault({ kind: "reset-after-headers" }),
  "drip-head": setFault({ kind: "drip" }),
  garbage: setFault({ kind: "garbage" }),
  500: setFault({ kind: "status", code: 500 }),
  502: setFault({ kind: "status", code: 502 }),
  503: setFault({ kind: "status", code: 503 }),
  504: setFault({ kind: "status", code: 504 }),
  429: setFault({ kind: "status", code: 429 }),
  "junk-error": setFault({ kind: "junk", body: "error" }),
  "junk-html": setFault({ kind: "junk", body: "html" }),
  "junk-events": setFault({ kind: "junk", body: "events" }),
  "junk-nothing": setFault({ kind: "junk", body: "empty" }),
  "junk-half": setFault({ kind: "wrong-json" }),
  "junk-params": setFault({ kind: "wrong-kv-params" }),
  hang: setFault({ kind: "stall" }),
  "hang-after-head": setFault({ kind: "stall", chunks: 0 }),
  slow: setFault({ kind: "slower", factor: 10 }),
  stop: signal("SIGSTOP"),
  "full-queue": fillQueue,
  flap: inTurns(setFault({ kind: "refuse", durationMs: turnMs }), () => {}),
  "stop-and-go": inTurns(signal("SIGSTOP"), signal("SIGCONT")),
};
/** Streams may be cut short more than once there; and each cell has requests for several turns. */
const comesAgain = new Set(["flap", "stop-and-go"]);
const requestsFactor = 4;

const given = parseArgs({
  options: {
    short: { type: "boolean", default: false },
    dialect: { type: "string" },
    fault: { type: "string" },
    leg: { type: "string", default: "prefill,decode" },
    runtime: { type: "string", default: "bun,node" },
    engines: { type: "string", default: "2" },
    wait: { type: "string", default: "60000" },
    policy: { type: "string" },
    clients: { type: "string" },
    requests: { type: "string", default: "8" },
    // In place of the full product of engines, waits and runtimes: each next cell takes the next of each.
    "in-turn": { type: "boolean" },
  },
}).values;
const usualForm = { dialect: "omni,sglang,plain", fault: "500,junk-html,hang", clients: "50" };
const values = { ...(given.short ? shortForm : usualForm), ...given };

function listOf(name, known) {
  const list = values[name] === "all" ? known : values[name].split(",");
  for (const one of list) {
    if (known.includes(one)) continue;
    process.stderr.write(`engines: --${name} ${one}: expected one of ${known.join(", ")}\n`);
    process.exit(2);
  }
  return list;
}

function numbersOf(name, max) {
  const list = values[name].split(",").map(Number);
  if (list.every((one) => Number.isInteger(one) && one > 0 && one <= max)) return list;
  process.stderr.write(`engines: --${name} takes whole numbers up to ${max}\n`);
  process.exit(2);
}

const chosen = {
  dialects: listOf("dialect", Object.keys(dialects)),
  faults: listOf("fault", Object.keys(faults)),
  legs: listOf("leg", ["prefill", "decode"]),
  runtimes: listOf("runtime", ["bun", "node"]),
  sizes: numbersOf("engines", 8),
  waits: numbersOf("wait", 60_000),
};
const [clients] = numbersOf("clients", 200);
const [requests] = numbersOf("requests", 1_000);

const folder = mkdtempSync(join(tmpdir(), "global-proxy-engines-"));
const command = join(import.meta.dirname, "../bin/global-proxy");
const running = new Set();

function start(file, args, env = {}, stdin = "ignore") {
  const child = spawn(file, args, {
    cwd: folder,
    env: { ...process.env, NO_COLOR: "1", ...env },
    stdio: [stdin, "pipe", "pipe"],
  });
  child.output = "";
  child.stderr.on("data", (text) => {
    child.output = `${child.output}${text}`.slice(-4_000);
  });
  running.add(child);
  child.on("exit", () => running.delete(child));
  return child;
}

async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGCONT");
  child.kill("SIGKILL");
  await ended;
}

/** Resolves when `path` has a response that is no error. */
async function up(child, url) {
  for (let i = 0; i < 600; i += 1) {
    if (child.exitCode !== null) break;
    const response = await fetch(url).catch(() => undefined);
    await response?.body?.cancel();
    if (response?.ok) return;
    await sleep(50);
  }
  throw new Error(`${url} does not come up: ${child.output}`);
}

const usual = ["--prefill-tokens-per-second", "40000", "--itl-ms", "4", "--batch-penalty-ms", "0"];

async function startEngine(engine, dialect) {
  const { role, port, sidePort } = engine;
  const spoken = dialect === undefined ? [] : ["--dialect", dialects[dialect].engine ?? dialect];
  const speed =
    dialect === undefined ? ["--prefill-tokens-per-second", "0", "--itl-ms", "0"] : usual;
  const place = ["--role", role, "--port", port, "--kv-port", sidePort];
  engine.child = start(command, ["engine", ...place.map(String), ...spoken, ...speed]);
  await up(engine.child, `${engine.url}/health`);
}

async function newEngine(role, dialect) {
  const [port, sidePort] = await freePorts(2);
  const engine = { role, port, sidePort, url: `http://127.0.0.1:${port}` };
  await startEngine(engine, dialect);
  return engine;
}

/** Makes all of them good again. */
async function restore(engines, dialect) {
  for (const engine of engines) {
    clearInterval(engine.turns);
    engine.child.kill("SIGCONT");
    // One that refuses, or is gone, cannot be told anything.
    const isReached = await debug(engine, "fault", { method: "DELETE" }).catch(() => false);
    if (!isReached) {
      await end(engine.child);
      await startEngine(engine, dialect);
    }
    await debug(engine, "leases", { method: "DELETE" });
  }
}

async function startProxy(runtime, dialect, engines) {
  const [port] = await freePorts(1);
  const { query = () => "" } = dialects[dialect];
  const urls = (role) =>
    engines
      .filter((engine) => engine.role === role)
      .map((engine) => `${engine.url}?${query(engine)}`.replace(/\?$/, ""));
  const pools =
    dialect === "plain"
      ? ["--engine", ...urls("mixed")]
      : ["--prefill", ...urls("prefill"), "--decode", ...urls("decode"), "--dialect", dialect];
  const { policy } = values;
  const policies =
    policy === undefined ? [] : ["--prefill-policy", policy, "--decode-policy", policy];
  const child = start(command, [...pools, ...policies, "--listen", `127.0.0.1:${port}`], {
    GLOBAL_PROXY_RUNTIME: runtime,
  });
  const url = `http://127.0.0.1:${port}`;
  await up(child, `${url}/v1/models`);
  return { child, url };
}

const client = start(
  process.execPath,
  [join(import.meta.dirname, "engines-client.mjs")],
  {},
  "pipe",
);
const clientLines = createInterface({ input: client.stdout })[Symbol.asyncIterator]();
async function fromClient() {
  const { value, done } = await clientLines.next();
  if (done) throw new Error(`the clients ended: ${client.output}`);
  return JSON.parse(value);
}
const toClient = (value) => client.stdin.write(`${JSON.stringify(value)}\n`);

async function runCell({ dialect, leg, fault, runtime, waitMs, engines, oracle }) {
  const role = dialect === "plain" ? "mixed" : leg;
  const victim = engines.find((engine) => engine.role === role);
  const proxy = await startProxy(runtime, dialect, engines);
  const isOver = !comesAgain.has(fault);
  toClient({
    url: proxy.url,
    oracle: oracle.url,
    clients,
    requests: isOver ? requests : requests * requestsFactor,
    waitMs,
    turnAfter: clients * 2,
    graceMs: isOver ? graceMs : lossMsMax,
  });
  for (;;) {
    const line = await fromClient();
    if (!line.turn) {
      await end(proxy.child);
      return { ...line, log: proxy.child.output };
    }
    await faults[fault](victim);
    toClient({ turned: true });
  }
}

/** The cells of one fleet, as [runtime, waitMs] for each fault and leg. */
function* cellsOf(dialect) {
  const products = chosen.runtimes.flatMap((runtime) =>
    chosen.waits.flatMap((waitMs) => chosen.sizes.map((size) => ({ runtime, waitMs, size }))),
  );
  let turn = 0;
  for (const leg of dialect === "plain" ? ["decode"] : chosen.legs) {
    for (const fault of chosen.faults) {
      // Only a prefill says where its KV cache is.
      if (fault === "junk-params" && (leg === "decode" || dialect === "plain")) continue;
      const some = values["in-turn"] ? [products[turn++ % products.length]] : products;
      for (const product of some) yield { leg, fault, ...product };
    }
  }
}

let cells = 0;
let missed = 0;
async function runDialect(dialect, oracle) {
  for (const size of chosen.sizes) {
    const roles = dialect === "plain" ? ["mixed"] : ["prefill", "decode"];
    const places = roles.flatMap((role) => Array.from({ length: size }, () => role));
    const engines = await Promise.all(places.map((role) => newEngine(role, dialect)));
    for (const cell of cellsOf(dialect)) {
      if (cell.size !== size) continue;
      const found = await runCell({ dialect, engines, oracle, ...cell });
      await restore(engines, dialect);
      const share = found.right / (found.right + found.lost);
      const isMissed = !(share >= rightShareMin) || found.slowestLossMs > lossMsMax;
      cells += 1;
      if (isMissed) missed += 1;
      const columns = [
        dialect.padEnd(21),
        cell.leg.padEnd(7),
        cell.fault.padEnd(15),
        cell.runtime.padEnd(4),
        String(size).padStart(2),
        String(cell.waitMs).padStart(6),
        `${(share * 100).toFixed(1)} %`.padStart(8),
        String(Math.round(found.usualMs)).padStart(7),
        String(Math.round(found.slowestMs)).padStart(7),
        String(found.begun).padStart(5),
        isMissed ? "MISSED" : "",
        found.lost === 0 ? "" : JSON.stringify(found.ways),
      ];
      process.stdout.write(`${columns.join("  ").trimEnd()}\n`);
      if (found.lost > 0) process.stdout.write(`    ${found.examples.join("\n    ")}\n`);
      if (found.lost > 0 && found.log !== "")
        process.stdout.write(
          `    log: ${found.log.trim().split("\n").slice(-5).join("\n    log: ")}\n`,
        );
    }
    await Promise.all(engines.map(({ child }) => end(child)));
  }
}

let failure = "";
try {
  const oracle = await newEngine("mixed");
  process.stdout.write(
    "dialect                leg      fault            runtime n    wait     right  usual  slowest  begun before\n",
  );
  for (const dialect of chosen.dialects) await runDialect(dialect, oracle);
} catch (error) {
  failure = error.message;
} finally {
  await Promise.all([...running].map(end));
  rmSync(folder, { recursive: true, force: true });
}
if (failure !== "") process.stderr.write(`engines: ${failure}\n`);
process.stdout.write(`${cells} cells, ${missed} missed the bar of ${rightShareMin * 100} %\n`);
process.exit(failure === "" && missed === 0 ? 0 : 1);
