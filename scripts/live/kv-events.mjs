/**
 * KV events of real engines: after the proxy's start, after its restart, and after an engine's restart the proxy knows
 * exactly what each engine has cached; what it predicts is what the engine then reports.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { modelName } from "./fleet.mjs";
import { lossyRelay } from "./lossy-relay.mjs";

const requests = 500;
const exactWithinMs = 20_000;
/** vLLM's default on CPUs. */
const blockTokens = 128;

const themes = Array.from(
  { length: 20 },
  (_, i) =>
    `Theme ${i}: ${Array.from({ length: 60 }, (_, j) => `word${(i * 31 + j * 7) % 97}`).join(" ")}`,
);
/** Prompts that share their beginnings with others, and end in their own way. */
function promptOf(index) {
  const theme = themes[(index * 7) % themes.length];
  const length = Math.floor(theme.length * (0.4 + ((index * 13) % 60) / 100));
  return `${theme.slice(0, length)} and now number ${index}`;
}

async function post(url, body, headers = {}) {
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ model: modelName, max_tokens: 2, temperature: 0, ...body }),
  });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${response.status} ${text}`);
  return { json: JSON.parse(text), headers: response.headers };
}

async function statesOf(proxy) {
  const { pools } = await (await fetch(`${proxy.admin}/admin/engines`)).json();
  const [first] = pools.filter(({ engines }) => engines.some(({ cache }) => cache !== undefined));
  return first?.engines.map(({ cache }) => cache) ?? [];
}

async function isExact(proxy) {
  for (const until = Date.now() + exactWithinMs; Date.now() < until; await sleep(200)) {
    const states = await statesOf(proxy);
    if (states.length > 0 && states.every((state) => state === "exact")) return true;
  }
  return false;
}

/** How far the predicted cached tokens are from those that the engine reports, at most, and how often they differ. */
async function compared(proxy, say, requests) {
  let worst = 0;
  let differing = 0;
  for (let index = 0; index < requests; index += 1) {
    const { json, headers } = await post(
      proxy.url,
      { prompt: promptOf(index) },
      { "x-explain": "1" },
    );
    const [decision] = JSON.parse(headers.get("x-explain"));
    const chosen = decision.engines.find(({ engine }) => engine === decision.chosen);
    const predicted = json.usage.prompt_tokens - chosen.uncachedTokens;
    const real = json.usage.prompt_tokens_details?.cached_tokens ?? 0;
    const away = Math.abs(predicted - real);
    if (away > 0) differing += 1;
    if (away > worst && away > blockTokens)
      say(
        `  request ${index}: ${predicted} predicted, ${real} real of ${json.usage.prompt_tokens}`,
      );
    worst = Math.max(worst, away);
  }
  say(
    `  ${requests} requests: predicted and real cached tokens differ in ${differing}, by at most ${worst} tokens`,
  );
  return worst <= blockTokens;
}

export async function kvEvents({ form, fleet, engines, startProxy, say }) {
  const [first] = engines;
  const { events, replay } = first.ports;
  const relay = await lossyRelay(events);
  const named = [
    { ...first, url: `${first.url}?kv_events_port=${relay.port}&kv_replay_port=${replay}` },
    ...engines.slice(1),
  ];
  // The policy of engines that do both does not look at caches by default.
  const policy = form === "one" ? ["--decode-policy", "predicted_time"] : [];
  const args = ["--kv-events", `${events}:${replay}`, "--explain", ...policy];
  const told = [];
  const check = (what, value) => {
    say(`  ${what}: ${value ? "exact" : "NOT exact"}`);
    told.push(value);
  };
  for (let i = 0; i < 30; i += 1) await post(first.url, { prompt: promptOf(i) });
  let proxy = await startProxy(args, named);
  check("after the proxy's start beside an engine that has run before", await isExact(proxy));
  // What a policy of engines that do both takes as cached is not in its explanation.
  if (form !== "one") told.push(await compared(proxy, say, requests));
  relay.isLosing = true;
  for (let i = 0; i < 10; i += 1) await post(first.url, { prompt: `Lost ${i}, ${promptOf(i)}` });
  relay.isLosing = false;
  await post(first.url, { prompt: `Found again. ${promptOf(1)}` });
  check(`after ${relay.lost} lost batches`, relay.lost > 0 && (await isExact(proxy)));
  if (form !== "one") told.push(await compared(proxy, say, 20));
  await fleet.end(proxy.child);
  proxy = await startProxy(args, named);
  check("after the proxy's restart", await isExact(proxy));
  await post(proxy.url, { prompt: promptOf(3) });
  say("  restarting the engine …");
  await fleet.end(first.child);
  await first.restart();
  for (let i = 0; i < 5; i += 1) await post(proxy.url, { prompt: promptOf(i) });
  check("after the engine's restart", await isExact(proxy));
  if (form !== "one") told.push(await compared(proxy, say, 20));
  await fleet.end(proxy.child);
  relay.close();
  return told.every(Boolean);
}
