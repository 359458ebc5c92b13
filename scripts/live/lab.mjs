/**
 * The lab beside real engines: `calibrate` measures one, and a trace is then replayed in real time through the proxy
 * and in virtual time by that profile. How far they are apart is said; nothing fails by it but requests that are lost.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { modelName } from "./fleet.mjs";

const requests = 150;
const blockTokens = 512;
const outputTokens = 32;
/** How busy the prefill engine is to be, by the profile. */
const shares = [0.2, 0.5];
/** The model's vocabulary without its special words. */
const words = { first: 300, count: 1_500 };
const command = join(import.meta.dirname, "../../bin/global-proxy");

/** Mulberry32: the same numbers in each run. */
function seeded(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Poisson arrivals; every second request begins with a block that others have, too. */
function traceOf(meanGapMs) {
  const random = seeded(1);
  let atMs = 0;
  return Array.from({ length: requests }, (_, index) => {
    atMs -= Math.log(1 - random()) * meanGapMs;
    const input_length = Math.floor(200 + random() * 1_400);
    const first = random() < 0.5 ? Math.floor(random() * 4) : 1_000 + index * 4;
    const hash_ids = Array.from({ length: Math.ceil(input_length / blockTokens) }, (_, block) =>
      block === 0 ? first : 1_000 + index * 4 + block,
    );
    return { timestamp: Math.round(atMs), input_length, output_length: outputTokens, hash_ids };
  });
}

/** Ids of tokens: the engine counts as the trace does. */
function promptOf({ input_length, hash_ids }) {
  const ids = hash_ids.flatMap((id) => {
    const random = seeded(id + 7);
    return Array.from(
      { length: blockTokens },
      () => words.first + Math.floor(random() * words.count),
    );
  });
  return ids.slice(0, input_length);
}

async function output(args) {
  const child = spawn(command, args, {
    env: { ...process.env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  let wrong = "";
  child.stdout.on("data", (text) => (said += text));
  child.stderr.on("data", (text) => (wrong += text));
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`global-proxy ${args[0]}: ${wrong}`);
  return said;
}

async function timesOf(url, request) {
  await sleep(request.timestamp);
  const body = {
    model: modelName,
    prompt: promptOf(request),
    max_tokens: outputTokens,
    ignore_eos: true,
    temperature: 0,
    stream: true,
  };
  const sentMs = performance.now();
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  let firstMs;
  let said = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body) {
    firstMs ??= performance.now();
    said += decoder.decode(chunk, { stream: true });
  }
  const ttftMs = firstMs - sentMs;
  const tpotMs = (performance.now() - firstMs) / (outputTokens - 1);
  return { isWhole: response.status === 200 && said.includes("[DONE]"), ttftMs, tpotMs };
}

function percentiles(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  return { p50: at(0.5), p90: at(0.9) };
}

const figures = ({ p50, p90 }) => `p50 ${p50.toFixed(0)} ms, p90 ${p90.toFixed(0)} ms`;

export async function lab({ form, engines, startProxy, say, folder }) {
  const [prefill, decode] = [engines[0], engines.at(-1)];
  const json = await output([
    "calibrate",
    decode.url,
    "--prompt-tokens",
    "1600",
    "--batch",
    "8",
    "--repeats",
    "5",
    "--json",
  ]);
  const profile = JSON.parse(json);
  const numbers = Object.entries(profile).filter(([, value]) => typeof value === "number");
  say(
    `  profile: ${numbers.map(([name, value]) => `${name} ${Number(value.toPrecision(3))}`).join(", ")}`,
  );
  const file = join(folder, "run/profile.json");
  writeFileSync(file, json);
  const proxy = await startProxy();
  await Promise.all(
    [prefill, decode].map(({ url }) => timesOf(url, { ...traceOf(1)[0], timestamp: 0 })),
  );
  let isRight = true;
  for (const share of shares) {
    const meanTokens = 900;
    const prefillMs =
      profile.prefillBaseMs +
      meanTokens * profile.prefillTokenMs +
      meanTokens ** 2 * profile.prefillPairMs;
    const trace = traceOf(prefillMs / share);
    const traceFile = join(folder, `run/trace-${form}-${share}.jsonl`);
    writeFileSync(traceFile, trace.map((one) => `${JSON.stringify(one)}\n`).join(""));
    const got = await Promise.all(trace.map((request) => timesOf(proxy.url, request)));
    const whole = got.filter(({ isWhole }) => isWhole);
    const virtual = JSON.parse(
      await output([
        "simulate",
        traceFile,
        "--prefill",
        "1",
        "--decode",
        "1",
        "--policies",
        "least_bytes",
        "--engine-profile",
        file,
        "--cache-fraction",
        "1",
        "--noise",
        "0",
        "--json",
      ]),
    );
    isRight &&= whole.length === requests;
    say(`  prefill ${share * 100} % busy by the profile: ${whole.length} of ${requests} whole`);
    for (const name of ["ttftMs", "tpotMs"]) {
      const real = figures(percentiles(whole.map((one) => one[name])));
      say(`    ${name.slice(0, 4).toUpperCase()}: real ${real}; lab ${figures(virtual[name])}`);
    }
  }
  return isRight;
}
