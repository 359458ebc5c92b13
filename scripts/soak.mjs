/**
 * Loads a proxy for a long time while engines die and come back, clients leave and the configuration is reloaded, and
 * then says what was lost and what has grown: `npm run soak -- --minutes 30`. Everything is on loopback. Exits with 1 if
 * a response was wrong, something stayed occupied, or memory or descriptors grow.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "30" },
    clients: { type: "string", default: "50" },
    workers: { type: "string", default: "1" },
    runtime: { type: "string", default: "bun" },
    dialect: { type: "string", default: "vllm-nixl" },
  },
});
const minutes = Number(values.minutes);
const clients = Number(values.clients);
if (!(minutes > 0 && minutes <= 600 && clients > 0 && clients <= 1_000)) {
  process.stderr.write("soak: --minutes takes up to 600, --clients up to 1000\n");
  process.exit(2);
}
/** Growth of the proxy's memory in the second half of the run that counts as a leak, in MiB per minute. */
const growthMax = 1;
const sampleMs = 5_000;
const reloadMs = 20_000;
const killMs = 15_000;

const folder = mkdtempSync(join(tmpdir(), "global-proxy-soak-"));
const environment = { ...process.env, GLOBAL_PROXY_RUNTIME: values.runtime, NO_COLOR: "1" };
const errors = [];

function start(args) {
  const child = spawn("bin/global-proxy", args, {
    env: environment,
    stdio: ["ignore", "ignore", "pipe"],
  });
  child.stderr.on("data", (text) => errors.push(String(text)));
  return child;
}

async function stop(child, signal) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill(signal);
  await ended;
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
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
  for (let i = 0; i < count; i += 1) list.push(startEngine({ role, port: await freePort() }));
  return list;
}

// ---- The load ----

const counts = { right: 0, left: 0, broken: 0, wrong: 0, statuses: {} };
let isOver = false;

async function client(url, index) {
  for (let i = 0; !isOver; i += 1) {
    const stream = (index + i) % 2 === 0;
    const leaves = (index * 7 + i) % 10 === 0;
    const words = 20 + ((index * 131 + i * 17) % 2_000);
    const body = {
      model: "simulated",
      prompt: `client ${index} request ${i} ${"word ".repeat(words)}`,
      max_tokens: 5 + ((index + i) % 40),
      stream,
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
      counts.statuses[response.status] = (counts.statuses[response.status] ?? 0) + 1;
      await sleep(50);
    } else if (isWhole(text, body)) counts.right += 1;
    else {
      counts.wrong += 1;
      errors.push(`a wrong response: ${text.slice(0, 300)} … ${text.slice(-100)}\n`);
    }
  } catch {
    if (signal?.aborted) counts.left += 1;
    else if (begun) counts.broken += 1;
    else counts.statuses.connection = (counts.statuses.connection ?? 0) + 1;
  }
}

function isWhole(text, { stream, max_tokens }) {
  if (!stream) return JSON.parse(text).usage.completion_tokens <= max_tokens;
  return text.endsWith("data: [DONE]\n\n") && text.startsWith("data: {");
}

// ---- What is watched ----

function processState(pid) {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const rssMiB = Number(/VmRSS:\s+(\d+)/.exec(status)[1]) / 1024;
  return { rssMiB, descriptors: readdirSync(`/proc/${pid}/fd`).length };
}

/** Least squares, per minute. */
function slope(samples, of) {
  const meanX = samples.reduce((sum, { minute }) => sum + minute, 0) / samples.length;
  const meanY = samples.reduce((sum, one) => sum + of(one), 0) / samples.length;
  let over = 0;
  let under = 0;
  for (const one of samples) {
    over += (one.minute - meanX) * (of(one) - meanY);
    under += (one.minute - meanX) ** 2;
  }
  return under === 0 ? 0 : over / under;
}

async function getJson(url) {
  return (await fetch(url)).json();
}

async function occupied(admin, all) {
  const { pools } = await getJson(`${admin}/admin/engines`);
  const inFlight = pools.flatMap((pool) => pool.engines).map((engine) => engine.inFlight);
  const states = await Promise.all(
    all.map(({ port }) => getJson(`http://127.0.0.1:${port}/debug/state`)),
  );
  const held = states.reduce((sum, state) => sum + (state.held ?? 0), 0);
  return { inFlight: inFlight.reduce((sum, n) => sum + n, 0), held };
}

// ---- The run ----

const prefills = await engines("prefill", 2);
const decodes = await engines("decode", 3);
const all = [...prefills, ...decodes];
for (const { port } of all) await up(`http://127.0.0.1:${port}/health`);
const port = await freePort();
const adminPort = await freePort();
const urls = (list) => list.map((one) => ({ url: `http://127.0.0.1:${one.port}` }));
const file = join(folder, "soak.yaml");
const config = {
  workers: Number(values.workers),
  admin: { port: adminPort },
  errorLog: { level: "emerg" },
  pools: { prefill: { engines: urls(prefills) }, decode: { engines: urls(decodes) } },
  servers: [
    {
      listen: [{ host: "127.0.0.1", port }],
      routes: [
        {
          match: { path: "/" },
          prefill: { pool: "prefill" },
          target: { pool: "decode" },
          dialect: values.dialect,
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
  let turn = 0;
  const kills = setInterval(async () => {
    const victim = all[turn % all.length];
    turn += 1;
    await stop(victim.child, "SIGKILL");
    await sleep(3_000);
    startEngine(victim);
  }, killMs);
  process.stdout.write("minute  RSS MiB  descriptors  right  left  broken  others\n");
  while (elapsedMs() < endMs) {
    await sleep(Math.min(sampleMs, endMs - elapsedMs()));
    if (proxy.exitCode !== null) throw new Error(`the proxy ended: ${errors.slice(-5).join("")}`);
    const sample = { minute: elapsedMs() / 60_000, ...processState(proxy.pid) };
    samples.push(sample);
    const { right, left, broken, statuses } = counts;
    const shown = [sample.minute.toFixed(2), sample.rssMiB.toFixed(1), sample.descriptors];
    process.stdout.write(
      `${[...shown, right, left, broken, JSON.stringify(statuses)].join("  ")}\n`,
    );
  }
  clearInterval(reloads);
  clearInterval(kills);
  isOver = true;
  await Promise.all(loops);
  await sleep(5_000);
  for (const engine of all) await up(`http://127.0.0.1:${engine.port}/health`);
  const rest = await occupied(admin, all);
  const second = samples.slice(samples.length >> 1);
  const growth = slope(second, ({ rssMiB }) => rssMiB);
  const descriptors = slope(second, (one) => one.descriptors);
  process.stdout.write(
    `growth in the second half: ${growth.toFixed(2)} MiB and ${descriptors.toFixed(2)} descriptors a minute\n`,
  );
  process.stdout.write(
    `afterwards: ${rest.inFlight} in flight, ${rest.held} KV caches held, ${counts.wrong} wrong responses\n`,
  );
  if (counts.wrong > 0) failure = "responses were wrong";
  else if (rest.inFlight > 0) failure = "requests stay in flight";
  else if (rest.held > 0) failure = "KV caches stay held";
  // The heap needs some minutes to find its size.
  else if (minutes >= 10 && growth > growthMax) failure = "memory grows";
  else if (minutes >= 10 && descriptors > 5) failure = "descriptors grow";
} catch (error) {
  failure = error.message;
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
