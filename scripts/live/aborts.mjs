/**
 * Clients that leave at any time: after the engines' own time for KV caches that nobody fetched, no block is held. By
 * the engines' own counters.
 */
import { request as httpRequest } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { modelName } from "./fleet.mjs";

/** In each phase. */
const count = 200;
const atOnce = 12;
/** When clients leave: by the time since their request, as a share of what the first event takes, or by events. */
const phases = [
  { name: "at once", share: () => 0 },
  { name: "at any time before the first event", share: () => Math.random() },
  { name: "at the first event", events: 1 },
  { name: "after 20 events", events: 20 },
];
/** An event is expected within this time: else a client leaves without. */
const patienceMs = 60_000;
/** `kv_lease_duration` is 30 s. */
const releaseMs = 45_000;

const prompt = (index) =>
  `Client ${index}: ${"the engine holds what nobody fetches and ".repeat(12)}`;

/** Resolves with the time of the first event, if there was one, when the client has left. */
function askAndLeave(url, index, { afterMs = patienceMs, events = Number.POSITIVE_INFINITY }) {
  const body = JSON.stringify({
    model: modelName,
    prompt: prompt(index),
    max_tokens: 200,
    ignore_eos: true,
    stream: true,
  });
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  const sentMs = performance.now();
  let firstMs;
  let seen = 0;
  return new Promise((resolve) => {
    const request = httpRequest(`${url}/v1/completions`, { method: "POST", agent: false, headers });
    request.on("error", () => {});
    request.on("response", (response) => {
      response.on("error", () => {});
      response.on("data", (bytes) => {
        firstMs ??= performance.now() - sentMs;
        seen += bytes.toString().split("\n\n").length - 1;
        if (seen >= events) request.destroy();
      });
    });
    const timer = setTimeout(() => request.destroy(), afterMs);
    request.on("close", () => {
      clearTimeout(timer);
      resolve(firstMs);
    });
    request.end(body);
  });
}

async function metric(url, name) {
  const text = await (await fetch(`${url}/metrics`)).text();
  return text
    .split("\n")
    .filter((line) => line.startsWith(name) && !line.startsWith("#"))
    .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

/** Requests at the engine, and the share of its KV cache that is held. */
async function heldBy(url) {
  const names = [
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "vllm:kv_cache_usage_perc",
  ];
  const values = await Promise.all(names.map((name) => metric(url, name)));
  return values.reduce((sum, value) => sum + value, 0);
}

/** Resolves with how many clients had an event, and the median of when the first came. */
async function leave(url, from, clients, when) {
  const firsts = [];
  const all = Array.from({ length: atOnce }, async (_, client) => {
    for (let i = client; i < clients; i += atOnce)
      firsts.push(await askAndLeave(url, from + i, when()));
  });
  await Promise.all(all);
  const known = firsts.filter((ms) => ms !== undefined).sort((one, other) => one - other);
  return { served: known.length, medianMs: known[known.length >> 1] };
}

export async function aborts({ engines, startProxy, say }) {
  const proxy = await startProxy();
  let isRight = true;
  const { medianMs } = await leave(proxy.url, 0, 3 * atOnce, () => ({ events: 1 }));
  if (medianMs === undefined) throw new Error("no client got an event");
  say(`  the first event takes ${medianMs.toFixed(0)} ms`);
  for (const [index, { name, share, events }] of phases.entries()) {
    const when = () => (share === undefined ? { events } : { afterMs: share() * medianMs });
    const { served } = await leave(proxy.url, (index + 1) * count, count, when);
    isRight &&= share !== undefined || served === count;
    const leftAt = Date.now();
    let held = [];
    do {
      held = await Promise.all(engines.map(({ url }) => heldBy(url)));
      if (held.every((value) => value === 0)) break;
      await sleep(500);
    } while (Date.now() - leftAt < releaseMs);
    const isFree = held.every((value) => value === 0);
    const seconds = ((Date.now() - leftAt) / 1_000).toFixed(1);
    const outcome = isFree ? `all free ${seconds} s later` : `held ${held.join(", ")}`;
    say(`  ${count} clients left ${name}, ${served} of them with an event: ${outcome}`);
    isRight &&= isFree;
  }
  const kv = await (await fetch(`${proxy.admin}/admin/kv`)).json();
  say(`  the proxy's own count: ${JSON.stringify(kv)}`);
  return isRight;
}
