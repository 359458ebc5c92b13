/**
 * Clients that leave at any time: after the engines' own time for KV caches that nobody fetched, no block is held. By
 * the engines' own counters.
 */
import { request as httpRequest } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { modelName } from "./fleet.mjs";

/** In each phase: about when the prefill runs, when decode begins, and within the stream. */
const count = 200;
const phasesMs = [5, 30, 120, 400];
const atOnce = 12;
/** `kv_lease_duration` is 30 s. */
const releaseMs = 45_000;

const prompt = (index) =>
  `Client ${index}: ${"the engine holds what nobody fetches and ".repeat(12)}`;

function askAndLeave(url, index, afterMs) {
  const body = JSON.stringify({
    model: modelName,
    prompt: prompt(index),
    max_tokens: 200,
    ignore_eos: true,
    stream: true,
  });
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  return new Promise((resolve) => {
    const request = httpRequest(`${url}/v1/completions`, { method: "POST", agent: false, headers });
    request.on("error", resolve);
    request.on("response", (response) => {
      response.on("error", () => {});
      response.resume();
    });
    request.on("close", resolve);
    setTimeout(() => request.destroy(), afterMs).unref();
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

async function phase(url, index, afterMs) {
  const clients = Array.from({ length: atOnce }, async (_, client) => {
    for (let i = client; i < count; i += atOnce) await askAndLeave(url, index * count + i, afterMs);
  });
  await Promise.all(clients);
}

export async function aborts({ engines, startProxy, say }) {
  const proxy = await startProxy();
  let isRight = true;
  for (const [index, afterMs] of phasesMs.entries()) {
    await phase(proxy.url, index, afterMs);
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
    say(`  ${count} clients left after ${afterMs} ms: ${outcome}`);
    isRight &&= isFree;
  }
  const kv = await (await fetch(`${proxy.admin}/admin/kv`)).json();
  say(`  the proxy's own count: ${JSON.stringify(kv)}`);
  return isRight;
}
