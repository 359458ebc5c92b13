/** What a check of real engines goes by must be in the simulated ones, under the same names. */
import { afterEach, expect, test } from "vitest";
import { instantTiming } from "../../src/simulated-engine/options.ts";
import { type RunningEngine, startEngine } from "../../src/simulated-engine/server.ts";
import { eventually } from "../support/eventually.ts";
import { post } from "./http.ts";

const engines: RunningEngine[] = [];
afterEach(() => Promise.all(engines.splice(0).map((engine) => engine.close())));

async function start(options: Partial<Parameters<typeof startEngine>[0]>): Promise<RunningEngine> {
  const engine = await startEngine({ role: "mixed", ...instantTiming, ...options });
  engines.push(engine);
  return engine;
}

const metrics = async ({ url }: RunningEngine) => (await fetch(`${url}/metrics`)).text();
const bySource = async (engine: RunningEngine) =>
  Object.fromEntries(
    [...(await metrics(engine)).matchAll(/by_source_total\{.*source="(\w+)"\} (\d+)/g)].map(
      ([, source, count]) => [source, Number(count)],
    ),
  );

const prompt = "a prompt of several blocks ".repeat(8);

test("prompt tokens are counted by where their KV is from", async () => {
  const prefill = await start({ role: "prefill", dialect: "vllm-nixl", prefixCache: true });
  const decode = await start({ role: "decode", dialect: "vllm-nixl" });
  const hold = { prompt, max_tokens: 1, kv_transfer_params: { do_remote_decode: true } };
  const held = (await (await post(prefill.url, "/v1/completions", hold)).json()) as {
    kv_transfer_params: object;
  };
  const fetching = { prompt, max_tokens: 2, kv_transfer_params: held.kv_transfer_params };
  await post(decode.url, "/v1/completions", fetching);
  expect(await bySource(decode)).toEqual({
    local_compute: 0,
    local_cache_hit: 0,
    external_kv_transfer: 54,
  });
  await post(prefill.url, "/v1/completions", hold);
  expect(await bySource(prefill)).toEqual({
    local_compute: 54 + 6,
    local_cache_hit: 48,
    external_kv_transfer: 0,
  });
});

test("by the fault leak, the KV of a client that leaves stays in use, and no other", async () => {
  const engine = await start({ itlMs: 5, dialect: "vllm-nixl" });
  engine.setFault("leak");
  await (await post(engine.url, "/v1/completions", { prompt, max_tokens: 2 })).text();
  expect(engine.state().leakedTokens).toBe(0);
  const leaving = new AbortController();
  const response = await fetch(`${engine.url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ prompt, max_tokens: 1_000, stream: true }),
    signal: leaving.signal,
  });
  leaving.abort();
  await response.text().catch(() => {});
  await eventually(() => engine.state().running === 0);
  expect(engine.state().leakedTokens).toBe(54);
  expect(await metrics(engine)).toMatch(/vllm:kv_cache_usage_perc\{.*\} 0\.0000\d+/);
});

test("in development mode /server_info shows the KV connector and the role, and else there is none", async () => {
  const shown = await start({ role: "prefill", dialect: "vllm-nixl", devMode: true });
  const info = await (await fetch(`${shown.url}/server_info?config_format=json`)).json();
  expect(info).toMatchObject({
    vllm_config: {
      kv_transfer_config: { kv_connector: "NixlConnector", kv_role: "kv_producer" },
      cache_config: { block_size: 16, enable_prefix_caching: false },
    },
  });
  const silent = await start({});
  expect((await fetch(`${silent.url}/server_info`)).status).toBe(404);
});
