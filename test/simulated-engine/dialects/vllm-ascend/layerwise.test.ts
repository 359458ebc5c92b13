import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { type EngineOptions, instantTiming } from "../../../../src/simulated-engine/options.ts";
import { type RunningEngine, startEngine } from "../../../../src/simulated-engine/server.ts";
import { eventually } from "../../../support/eventually.ts";
import { post } from "../../http.ts";

const running: { close(): unknown }[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.close()));
});

async function start(options: EngineOptions): Promise<RunningEngine> {
  const dialect = "vllm-ascend-layerwise";
  const engine = await startEngine({ dialect, ...instantTiming, ...options });
  running.push(engine);
  return engine;
}

interface Call {
  readonly request_id: string;
  readonly [name: string]: unknown;
}

/** What the proxy is to the engine: told who waits where. `answers` = false breaks each connection. */
async function metaserver(answers: (call: Call, nth: number) => number | false) {
  const calls: Call[] = [];
  const server: Server = createServer(async (request, response) => {
    let text = "";
    for await (const part of request) text += part;
    const call = JSON.parse(text) as Call;
    const status = answers(call, calls.push(call) - 1);
    if (status === false) request.socket.destroy();
    else response.writeHead(status).end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  running.push({
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  });
  return { calls, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback/x` };
}

const path = "/v1/completions";
const id = { "x-request-id": "one" };
const body = { prompt: "Tell me of the sea. ", max_tokens: 5 };
const one = { max_tokens: 1, min_tokens: 1 };

const wait = (url: string) => ({
  do_remote_prefill: true,
  do_remote_decode: false,
  metaserver: url,
});

function decodeOf(engine: RunningEngine, url: string, changes: object = {}, headers = id) {
  return post(engine.url, path, { ...body, kv_transfer_params: wait(url), ...changes }, headers);
}

function prefillOf(engine: RunningEngine, params: object, changes: object = {}, headers = id) {
  return post(
    engine.url,
    path,
    { ...body, ...one, kv_transfer_params: params, ...changes },
    headers,
  );
}

const recomputed = (engine: RunningEngine) => engine.state().recomputed;

describe("by hand", () => {
  it.each([
    [{}, 1],
    [{ prompt: ["a ", "b ", "c "] }, 3],
  ])(
    "decode calls for each prompt, prefill writes, the answer is that of one engine: %j",
    async (changes, count) => {
      const [prefill, decode] = [await start({ role: "prefill" }), await start({ role: "decode" })];
      const { calls, url } = await metaserver(() => 200);
      const response = decodeOf(decode, url, changes);
      await eventually(() => calls.length === count);
      const children = Object.fromEntries(calls.map((call) => [call.request_id, call]));
      const first = children["cmpl-one-0"]!;
      const params = count === 1 ? first : { ...first, batch_kv_transfer_params: children };
      expect((await prefillOf(prefill, params, changes)).status).toBe(200);
      const alone = await start({ role: "mixed", dialect: "omni" });
      const wanted = await post(alone.url, path, { ...body, ...changes }, id);
      expect(await (await response).text()).toBe(await wanted.text());
      expect(decode.state()).toMatchObject({ remotePrefills: 1, rendezvousWaiting: 0 });
      expect([...prefill.state().violations, ...decode.state().violations]).toEqual([]);
    },
  );

  it("the status of the call is nothing to decode: it waits for its KV, to its time-out", async () => {
    const decode = await start({ role: "decode", dialect: "vllm-ascend-layerwise:waitMs=60" });
    const { calls, url } = await metaserver(() => 502);
    expect((await decodeOf(decode, url)).status).toBe(500);
    expect(calls).toHaveLength(1);
    expect(decode.state()).toMatchObject({ rendezvousTimedOut: 1, failed: 1 });
  });

  it("a call whose connection breaks is made three times at most", async () => {
    const decode = await start({ role: "decode", dialect: "vllm-ascend-layerwise:waitMs=1500" });
    const { calls, url } = await metaserver(() => false);
    expect((await decodeOf(decode, url)).status).toBe(500);
    expect(calls.map(({ request_id }) => request_id)).toEqual(Array(3).fill("cmpl-one-0"));
  });

  it("without a metaserver decode computes the prompt in silence", async () => {
    const decode = await start({ role: "decode" });
    expect((await decodeOf(decode, "", { kv_transfer_params: null })).status).toBe(200);
    expect(recomputed(decode)).toMatchObject({ missing_params: 1 });
  });

  it("two decodes with one id cannot be distinguished: the second one fails", async () => {
    const decode = await start({ role: "decode" });
    const { calls, url } = await metaserver(() => 200);
    const gone = new AbortController();
    const first = fetch(decode.url + path, {
      method: "POST",
      headers: { ...id, "content-type": "application/json" },
      body: JSON.stringify({ ...body, kv_transfer_params: wait(url) }),
      signal: gone.signal,
    }).catch(() => undefined);
    await eventually(() => calls.length === 1);
    expect((await decodeOf(decode, url)).status).toBe(500);
    expect(decode.state().violations[0]).toMatch("same id");
    gone.abort();
    await first;
    await eventually(() => decode.state().rendezvousWaiting === 0);
  });
});

describe("KV does not find its blocks", () => {
  it.each<[string, (call: Call) => object, object, typeof id]>([
    ["under another id", (call) => call, {}, { "x-request-id": "two" }],
    ["of another prompt", (call) => call, { prompt: "Another. " }, id],
    ["that are others", (call) => ({ ...call, remote_block_ids: [[99]] }), {}, id],
    ["of an engine of before", (call) => ({ ...call, remote_engine_id: "x" }), {}, id],
  ])("%s: decode waits on", async (_, change, changes, headers) => {
    const prefill = await start({ role: "prefill" });
    const decode = await start({ role: "decode", dialect: "vllm-ascend-layerwise:waitMs=300" });
    const { calls, url } = await metaserver(() => 200);
    const response = decodeOf(decode, url);
    await eventually(() => calls.length === 1);
    // Prefill itself notices nothing.
    expect((await prefillOf(prefill, change(calls[0]!), changes, headers)).status).toBe(200);
    expect((await response).status).toBe(500);
    expect(decode.state()).toMatchObject({ remotePrefills: 0, rendezvousTimedOut: 1 });
  });

  it("prefill that does not know where fails, or is a violation", async () => {
    const prefill = await start({ role: "prefill" });
    expect((await prefillOf(prefill, { do_remote_decode: true })).status).toBe(500);
    const prompts = { prompt: ["a", "b"] };
    expect((await prefillOf(prefill, { do_remote_decode: true }, prompts)).status).toBe(500);
    expect(prefill.state().violations).toEqual([]);
    expect((await prefillOf(prefill, {})).status).toBe(200);
    await prefillOf(prefill, { do_remote_decode: true }, { stream: true });
    await prefillOf(prefill, { do_remote_decode: true }, { max_tokens: 2 });
    expect(prefill.state().violations).toHaveLength(3);
  });
});
