/**
 * Loads a proxy for a long time while engines die and come back, clients leave and the configuration is reloaded, and
 * then says what was lost and what has grown: `npm run soak -- --minutes 30`. Everything is on loopback. Exits with 1 if
 * a response was wrong, a stream broke, more requests than a share were lost, something stayed occupied, or memory,
 * descriptors or KV obligations grow. `-- --short` is 90 s of it without the growth. With `--churn` no engine dies:
 * instead one leaves its pool each second, by a file that lists engines, and comes back, and no request may be lost.
 * `--log FILE` gets the proxy's error log, and for each lost request what the proxy says of it.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { freePorts } from "./support/ports.mjs";

const { values } = parseArgs({
  options: {
    short: { type: "boolean", default: false },
    minutes: { type: "string" },
    clients: { type: "string" },
    workers: { type: "string", default: "1" },
    runtime: { type: "string", default: "bun" },
    dialect: { type: "string", default: "vllm-nixl" },
    churn: { type: "boolean", default: false },
    log: { type: "string" },
  },
});
const minutes = Number(values.minutes ?? (values.short ? 1.5 : 30));
const clients = Number(values.clients ?? (values.short ? 20 : 50));
if (!(minutes > 0 && minutes <= 600 && clients > 0 && clients <= 1_000)) {
  process.stderr.write("soak: --minutes takes up to 600, --clients up to 1000\n");
  process.exit(2);
}
/** What is watched, and by how much it may grow from the end of the warm-up to the end of the run. */
const watched = [
  { name: "RSS", unit: "MiB", of: ({ rssMiB }) => rssMiB, growthMax: 30 },
  { name: "descriptors", unit: "", of: ({ descriptors }) => descriptors, growthMax: 40 },
  { name: "KV obligations", unit: "", of: ({ obligations }) => obligations, growthMax: 20 },
];
/** The share of the run in which the heap finds its size. */
const warmUpShare = 1 / 3;
const sampleMs = 2_000;
const reloadMs = 20_000;
const killMs = 15_000;
/** The share of the requests that the deaths of engines may cost; each is counted and shown. */
const lostShareMax = values.churn ? 0 : 0.01;
const churnMs = 1_000;
const leaseMs = 40_000;

const folder = mkdtempSync(join(tmpdir(), "global-proxy-soak-"));
const environment = { ...process.env, GLOBAL_PROXY_RUNTIME: values.runtime, NO_COLOR: "1" };
const errors = [];

function start(args) {
  const child = spawn("bin/global-proxy", args, {
    env: environment,
    stdio: ["ignore", "ignore", "pipe"],
  });
  child.stderr.on("data", (text) => note(String(text)));
  return child;
}

function note(text) {
  errors.push(text);
  if (values.log !== undefined) appendFileSync(values.log, text);
}

async function stop(child, signal) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill(signal);
  await ended;
}

async function up(url) {
  for (let i = 0; i < 300; i += 1) {
    const response = await fetch(url).catch(() => undefined);
    await response?.body?.cancel();
    if (response?.ok) return;
    await sleep(200);
  }
  throw new Error(`${url} does not come up: ${errors.slice(-5).join("")}`);
}

const speeds = ["--prefill-tokens-per-second", "200000", "--itl-ms", "2"];
function startEngine(engine) {
  const { role, port } = engine;
  const args = ["--role", role, "--dialect", values.dialect, "--port", String(port), ...speeds];
  engine.child = start(["engine", ...args]);
  return engine;
}

async function engines(role, count) {
  const list = [];
  for (let i = 0; i < count; i += 1)
    list.push(startEngine({ role, port: (await freePorts(1))[0] }));
  return list;
}

// ---- The load ----

const counts = { right: 0, left: 0, broken: 0, wrong: 0, lost: {} };
let isOver = false;
let kills = 0;

async function client(url, index) {
  for (let i = 0; !isOver; i += 1) {
    const stream = (index + i) % 2 === 0;
    const leaves = (index * 7 + i) % 10 === 0;
    const words = 20 + ((index * 131 + i * 17) % 2_000);
    const body = {
      model: "simulated",
      prompt: `client ${index} request ${i} ${"word ".repeat(words)}`,
      max_tokens: 5 + ((index + i) % 40),
      ignore_eos: true,
      stream,
      ...(stream ? { stream_options: { include_usage: true } } : {}),
    };
    await ask(url, body, leaves ? (index * 13 + i * 29) % 120 : -1);
  }
}

async function ask(url, body, leavesAfterMs) {
  const signal = leavesAfterMs < 0 ? undefined : AbortSignal.timeout(leavesAfterMs);
  let begun = false;
  try {
    const response = await fetch(`${url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal,
    });
    begun = true;
    const text = await response.text();
    if (response.status !== 200) {
      lose(`${response.status} ${codeOf(text)}`, response);
      await sleep(50);
    } else if (isWhole(text, body)) counts.right += 1;
    else if (isEngineFailure(text)) lose(`event ${codeOf(text)}`, response);
    else {
      counts.wrong += 1;
      note(`a wrong response: ${text.slice(0, 300)} … ${text.slice(-100)}\n`);
    }
  } catch {
    if (signal?.aborted) counts.left += 1;
    else if (begun) counts.broken += 1;
    else lose("connection");
  }
}

function lose(why, response) {
  counts.lost[why] = (counts.lost[why] ?? 0) + 1;
  note(`lost: ${new Date().toISOString()} ${why}\n`);
  const id = response?.headers.get("x-request-id");
  if (values.log === undefined || id == null) return;
  const explained = fetch(`${admin}/admin/explain/${id}`).then((it) => it.text());
  explained.then((text) => note(`${text}\n`)).catch(() => {});
}

const codeOf = (text) => /GP_[A-Z_]+/.exec(text)?.[0] ?? text.slice(0, 200);

/** All tokens that were asked for, also of a stream that a second engine went on with, and the API's own end. */
/** A stream that the engine ends with an error before its first token, as where its prefill engine was killed. */
const isEngineFailure = (text) => text.startsWith('data: {"error"');

function isWhole(text, { stream, max_tokens }) {
  if (!stream) return JSON.parse(text).usage.completion_tokens === max_tokens;
  const events = text.split("\n\n").filter((event) => event !== "" && !event.startsWith(":"));
  if (events.pop() !== "data: [DONE]") return false;
  const usage = JSON.parse(events.at(-1).slice("data: ".length)).usage;
  return usage?.completion_tokens === max_tokens;
}

// ---- What is watched ----

function processState(pid) {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const rssMiB = Number(/VmRSS:\s+(\d+)/.exec(status)[1]) / 1024;
  return { rssMiB, descriptors: readdirSync(`/proc/${pid}/fd`).length };
}

/** The line of least squares through the samples: its slope per minute, and the slope's standard error. */
function slope(samples, of) {
  const count = samples.length;
  const meanX = samples.reduce((sum, { minute }) => sum + minute, 0) / count;
  const meanY = samples.reduce((sum, one) => sum + of(one), 0) / count;
  let products = 0;
  let squares = 0;
  for (const one of samples) {
    products += (one.minute - meanX) * (of(one) - meanY);
    squares += (one.minute - meanX) ** 2;
  }
  const perMinute = products / squares;
  const rest = samples.reduce(
    (sum, one) => sum + (of(one) - meanY - perMinute * (one.minute - meanX)) ** 2,
    0,
  );
  return { perMinute, error: Math.sqrt(rest / (count - 2) / squares) };
}

/** Says how the samples go; what grows by more than it may, by more than chance, is a failure. */
function judge(samples) {
  const steady = samples.slice(Math.floor(samples.length * warmUpShare));
  const steadyMinutes = steady.at(-1).minute - steady[0].minute;
  const growing = [];
  for (const { name, unit, of, growthMax } of watched) {
    const { perMinute, error } = slope(steady, of);
    process.stdout.write(
      `${name}: ${perMinute.toFixed(3)} ± ${error.toFixed(3)} ${unit} a minute after the warm-up\n`,
    );
    // Twice the error: what chance alone exceeds in one run of forty.
    if ((perMinute - 2 * error) * steadyMinutes > 0 && perMinute * steadyMinutes > growthMax)
      growing.push(name);
  }
  return growing;
}

/** One after the other: there is always another engine of the same kind. */
async function killEngines() {
  while (!isOver) {
    await sleep(killMs);
    if (isOver) return;
    const victim = all[kills % all.length];
    kills += 1;
    await stop(victim.child, "SIGKILL");
    await sleep(3_000);
    startEngine(victim);
    await up(`http://127.0.0.1:${victim.port}/health`);
  }
}

const urls = (engines) => engines.map((one) => ({ url: `http://127.0.0.1:${one.port}` }));

function poolOf(pool, engines) {
  return values.churn
    ? { sources: [{ file: list(pool, engines), pollMs: 100 }] }
    : { engines: urls(engines) };
}

/** The file that lists the engines of a pool; replaced by renaming, so that it is never half. */
function list(pool, engines) {
  const name = join(folder, `${pool}.json`);
  writeFileSync(`${name}.new`, JSON.stringify(urls(engines)));
  renameSync(`${name}.new`, name);
  return name;
}

/** Each second one engine comes back and the next one goes, of both pools in turn. */
async function churnEngines() {
  const pools = { prefill: prefills, decode: decodes };
  for (let turn = 0; !isOver; turn += 1) {
    const pool = turn % 2 === 0 ? "prefill" : "decode";
    const out = pools[pool][Math.floor(turn / 2) % pools[pool].length];
    list(
      pool,
      pools[pool].filter((engine) => engine !== out),
    );
    kills += 1;
    await sleep(churnMs);
    list(pool, pools[pool]);
  }
}

/** On a connection of its own: one that was kept may be closed just as it is used again. */
async function getJson(url) {
  return (await fetch(url, { headers: { connection: "close" } })).json();
}

async function occupied(admin, all) {
  const { pools } = await getJson(`${admin}/admin/engines`);
  const inFlight = pools.flatMap((pool) => pool.engines).map((engine) => engine.inFlight);
  const states = await Promise.all(
    all.map(({ port }) => getJson(`http://127.0.0.1:${port}/debug/state`)),
  );
  const held = states.reduce((sum, state) => sum + (state.held ?? 0), 0);
  return {
    inFlight: inFlight.reduce((sum, n) => sum + n, 0),
    held,
    obligations: await obligations(admin),
  };
}

/**
 * What is left of the load. What a prefill engine holds for a decode engine that was killed while it fetched it goes
 * with the engine's own lease.
 */
async function afterwards() {
  const endMs = performance.now() + leaseMs;
  for (;;) {
    await sleep(1_000);
    const rest = await occupied(admin, all);
    const isClear = Object.values(rest).every((count) => count === 0);
    if (isClear || performance.now() > endMs) return rest;
  }
}

/** KV caches that prefill engines hold as far as the proxy knows. */
async function obligations(admin) {
  const { pools } = await getJson(`${admin}/admin/kv`);
  return pools.reduce((sum, { open }) => sum + open, 0);
}

// ---- The run ----

const prefills = await engines("prefill", 2);
const decodes = await engines("decode", 3);
/** In the order in which they are killed. */
const all = [prefills[0], decodes[0], prefills[1], ...decodes.slice(1)];
for (const { port } of all) await up(`http://127.0.0.1:${port}/health`);
const [port, adminPort] = await freePorts(2);
const file = join(folder, "soak.yaml");
const config = {
  workers: Number(values.workers),
  admin: { port: adminPort, explainedRequestsMax: values.log === undefined ? 0 : 1024 },
  errorLog: { level: "warn" },
  pools: {
    prefill: poolOf("prefill", prefills),
    decode: poolOf("decode", decodes),
  },
  servers: [
    {
      listen: [{ host: "127.0.0.1", port }],
      routes: [
        {
          match: { path: "/" },
          prefill: { pool: "prefill" },
          target: { pool: "decode" },
          dialect: values.dialect,
          resume: true,
        },
      ],
    },
  ],
};
writeFileSync(file, JSON.stringify(config));
const proxy = start(["-c", file]);
const url = `http://127.0.0.1:${port}`;
const admin = `http://127.0.0.1:${adminPort}`;
const samples = [];
let failure = "";
try {
  await up(`${admin}/admin/health`);
  await up(`${url}/v1/models`);
  const startedAt = performance.now();
  const endMs = minutes * 60_000;
  const elapsedMs = () => performance.now() - startedAt;
  const loops = Array.from({ length: clients }, (_, index) => client(url, index));
  const reloads = setInterval(() => proxy.kill("SIGHUP"), reloadMs);
  const killed = values.churn ? churnEngines() : killEngines();
  process.stdout.write(
    "minute  RSS MiB  descriptors  KV obligations  right  left  broken  others\n",
  );
  while (elapsedMs() < endMs) {
    await sleep(Math.min(sampleMs, endMs - elapsedMs()));
    if (proxy.exitCode !== null) throw new Error(`the proxy ended: ${errors.slice(-5).join("")}`);
    const sample = {
      minute: elapsedMs() / 60_000,
      ...processState(proxy.pid),
      obligations: await obligations(admin),
    };
    samples.push(sample);
    if (samples.length % 5 !== 0) continue;
    const { right, left, broken, lost } = counts;
    const { minute, rssMiB, descriptors } = sample;
    const shown = [minute.toFixed(2), rssMiB.toFixed(1), descriptors, sample.obligations];
    process.stdout.write(`${[...shown, right, left, broken, JSON.stringify(lost)].join("  ")}\n`);
  }
  clearInterval(reloads);
  isOver = true;
  await Promise.all([...loops, killed]);
  for (const engine of all) await up(`http://127.0.0.1:${engine.port}/health`);
  const rest = await afterwards();
  const growing = judge(samples);
  const lost = Object.values(counts.lost).reduce((sum, count) => sum + count, 0);
  process.stdout.write(
    `${counts.right} right, ${counts.left} left by their clients, ${kills} engines ${values.churn ? "taken out and put back" : "killed"}; ` +
      `${counts.broken} broken streams, ${lost} lost requests ${JSON.stringify(counts.lost)}, ` +
      `${counts.wrong} wrong responses\n` +
      `afterwards: ${rest.inFlight} in flight, ${rest.held} KV caches held, ${rest.obligations} obligations open\n`,
  );
  if (counts.wrong > 0) failure = "responses were wrong";
  else if (counts.broken > 0) failure = "streams broke";
  else if (lost > counts.right * lostShareMax) failure = "too many requests were lost";
  else if (rest.inFlight > 0) failure = "requests stay in flight";
  else if (rest.held > 0) failure = "KV caches stay held";
  else if (rest.obligations > 0) failure = "KV obligations stay open";
  else if (growing.length > 0 && !values.short) failure = `${growing.join(" and ")} grew`;
} catch (error) {
  failure = `${error.message} ${error.cause ?? ""}`;
} finally {
  isOver = true;
  await Promise.all(
    [proxy, ...all.map(({ child }) => child)].map((child) => stop(child, "SIGKILL")),
  );
  rmSync(folder, { recursive: true });
}
if (failure !== "") {
  process.stderr.write(
    `soak: ${failure}\n${errors
      .filter((text) => text.includes("wrong"))
      .slice(0, 3)
      .join("")}`,
  );
  process.exit(1);
}
process.stdout.write("soak: passed\n");
process.exit(0);
