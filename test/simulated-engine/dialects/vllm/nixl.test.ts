import { afterEach, describe, expect, it } from "vitest";
import { type EngineOptions, instantTiming } from "../../../../src/simulated-engine/options.ts";
import { type RunningEngine, startEngine } from "../../../../src/simulated-engine/server.ts";
import { eventually } from "../../../support/eventually.ts";
import { FakeClock } from "../../fake-clock.ts";
import { eventsOf, kvParamsOf, post, splice } from "../../http.ts";

const running: RunningEngine[] = [];

async function start(options: EngineOptions): Promise<RunningEngine> {
  const engine = await startEngine({ dialect: "vllm-nixl", ...instantTiming, ...options });
  running.push(engine);
  return engine;
}

async function startPair(options: Partial<EngineOptions> = {}) {
  return {
    prefill: await start({ role: "prefill", ...options }),
    decode: await start({ role: "decode", ...options }),
  };
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((engine) => engine.close()));
});

const path = "/v1/completions";
const id = { "x-request-id": "one" };
const completion = { model: "simulated", prompt: "Tell me of the sea", max_tokens: 20 };
const messages = [{ role: "user", content: "Tell me of the sea" }];

/** As vLLM's own proxy sends it. */
const hold = {
  do_remote_decode: true,
  do_remote_prefill: false,
  remote_engine_id: null,
  remote_block_ids: null,
  remote_host: null,
  remote_port: null,
};

/** The KV transfer as JSON text. */
async function prefilled(engine: RunningEngine, changes: object = {}, at = path): Promise<string> {
  const body = { ...completion, max_tokens: 1, kv_transfer_params: hold, ...changes };
  return kvParamsOf(await (await post(engine.url, at, body, id)).text());
}

function decoded(engine: RunningEngine, params: string, body: object = completion, at = path) {
  return post(engine.url, at, splice(body, "kv_transfer_params", params), id);
}

describe.each([
  [path, completion],
  ["/v1/chat/completions", { messages, max_tokens: 20 }],
])("P/D by hand on %s", (at, body) => {
  it.each([true, false])(
    "gives the very bytes of one engine alone (stream: %s)",
    async (stream) => {
      const { prefill, decode } = await startPair();
      const request = { ...body, stream, n: 2 };
      const params = await prefilled(prefill, { ...body, max_tokens: 1 }, at);
      const response = await decoded(decode, params, request, at);
      const alone = await post((await start({ role: "mixed" })).url, at, request, id);
      expect(await response.text()).toBe(await alone.text());
      expect(decode.state()).toMatchObject({ remotePrefills: 1, protocolViolations: 0 });
      expect(prefill.state()).toMatchObject({ held: 0, fetched: 1, protocolViolations: 0 });
      expect(Object.values(decode.state().recomputed).every((count) => count === 0)).toBe(true);
    },
  );
});

describe("a prefill engine", () => {
  it("says where it holds the KV, also when asked so in two words", async () => {
    const { prefill } = await startPair();
    const short = { do_remote_decode: true, do_remote_prefill: false };
    const params = JSON.parse(await prefilled(prefill, { kv_transfer_params: short }));
    expect(params).toEqual({
      do_remote_prefill: true,
      do_remote_decode: false,
      remote_block_ids: [[1]],
      remote_engine_id: prefill.engineId,
      remote_request_id: expect.stringMatching(/^cmpl-one-0-/),
      remote_host: "127.0.0.1",
      remote_port: expect.any(Number),
      tp_size: 1,
      remote_num_tokens: 5,
      transfer_mode: "pull",
    });
    expect(prefill.state()).toMatchObject({ held: 1, protocolViolations: 0 });
  });

  it.each([undefined, null, {}, { do_remote_decode: false }])(
    "answers and holds nothing when told %j",
    async (kv_transfer_params) => {
      const { prefill } = await startPair();
      expect(await prefilled(prefill, { kv_transfer_params })).toBe("null");
      expect(prefill.state()).toMatchObject({ held: 0, protocolViolations: 1 });
    },
  );

  it("holds KV of which a stream never tells, until the lease ends", async () => {
    const clock = new FakeClock();
    const { prefill } = await startPair({ clock });
    const body = { ...completion, max_tokens: 1, kv_transfer_params: hold, stream: true };
    const response = await post(prefill.url, path, body);
    // The steps of the engine are on the clock, too.
    await eventually(() => {
      clock.advance(1);
      return prefill.state().held === 1;
    });
    expect(await response.text()).not.toContain("remote_engine_id");
    expect(prefill.state().violations[0]).toMatch("streamed");
    clock.advance(30_000);
    expect(prefill.state()).toMatchObject({ held: 0, expired: 1 });
  });

  it.each([
    ["vllm-nixl", {}, true],
    ["vllm-nixl:generation=older", {}, false],
    ["vllm-nixl:generation=older", { min_tokens: 1 }, true],
  ])(
    "%s hands over a prompt that ends with its first token (%j): %s",
    async (dialect, changes, handsOver) => {
      const { prefill, decode } = await startPair({ dialect, eosAfterTokens: 1 });
      const params = await prefilled(prefill, changes);
      expect(params !== "null").toBe(handsOver);
      const response = await decoded(decode, params);
      const alone = await start({ role: "mixed", eosAfterTokens: 1 });
      expect(await response.text()).toBe(
        await (await post(alone.url, path, completion, id)).text(),
      );
      expect(decode.state().remotePrefills).toBe(handsOver ? 1 : 0);
    },
  );

  it("of the older generation lists its blocks flat", async () => {
    const { prefill, decode } = await startPair({ dialect: "vllm-nixl:generation=older" });
    const params = await prefilled(prefill);
    expect(JSON.parse(params)).toMatchObject({ remote_block_ids: [1] });
    expect((await decoded(decode, params)).status).toBe(200);
    expect(decode.state().remotePrefills).toBe(1);
  });
});

describe("a decode engine", () => {
  it.each([
    "do_remote_prefill",
    "remote_engine_id",
    "remote_request_id",
    "remote_host",
    "remote_port",
  ])("recomputes in silence without %s", async (key) => {
    const { prefill, decode } = await startPair();
    const params = (await prefilled(prefill)).replace(key, `${key}_`);
    expect((await decoded(decode, params)).status).toBe(200);
    expect(decode.state().recomputed.missing_params).toBe(1);
  });

  it("recomputes in silence without any parameters", async () => {
    const { decode } = await startPair();
    expect((await post(decode.url, path, completion)).status).toBe(200);
    expect(decode.state().recomputed.missing_params).toBe(1);
  });

  it.each([
    [
      "the blocks were touched",
      (params: string) => params.replace("[[1]]", "[1]"),
      "mangled_params",
    ],
    ["the KV is gone", (params: string) => params.replace("cmpl-one", "cmpl-two"), "unknown"],
    ["nobody is there", (params: string) => params.replace(/port":\d+/, 'port":1'), "fetch_failed"],
  ])("fails, or recomputes if told to, when %s", async (_name, change, reason) => {
    const { prefill, decode } = await startPair();
    const params = change(await prefilled(prefill));
    const response = await decoded(decode, params);
    expect(response.status).toBe(500);
    expect(await response.text()).toContain(`KV load failed (${reason})`);
    const streamed = await decoded(decode, params, { ...completion, stream: true });
    expect(eventsOf(await streamed.text())[0]).toContain(reason);
    expect(decode.state()).toMatchObject({ failed: 2, running: 0, waiting: 0 });
    const dialect = "vllm-nixl:loadFailure=recompute";
    const patient = await start({ role: "decode", dialect });
    expect((await decoded(patient, params)).status).toBe(200);
    expect(patient.state()).toMatchObject({ failed: 0, recomputed: { [reason]: 1 } });
  });

  it("keeps the lease alive for as long as it queues", async () => {
    const clock = new FakeClock();
    const { prefill, decode } = await startPair({ clock, kvTransferMs: 50_000 });
    const pending = prefilledOn(clock, prefill).then((params) => decoded(decode, params));
    for (let renewals = 1; renewals <= 10; renewals++) {
      await eventually(() => prefill.state().renewed === renewals);
      clock.advance(5_000);
    }
    await eventually(() => {
      clock.advance(1);
      return decode.state().remotePrefills === 1 && decode.state().running === 0;
    });
    expect((await pending).status).toBe(200);
    expect(prefill.state()).toMatchObject({ held: 0, fetched: 1, expired: 0 });
  });

  it("of the older generation renews nothing, and comes too late after 480 s", async () => {
    const clock = new FakeClock();
    const dialect = "vllm-nixl:generation=older";
    const { prefill, decode } = await startPair({ clock, dialect, kvTransferMs: 480_001 });
    const pending = prefilledOn(clock, prefill).then((params) => decoded(decode, params));
    await eventually(() => decode.state().waiting === 1);
    clock.advance(479_000);
    expect(prefill.state()).toMatchObject({ held: 1, renewed: 0 });
    clock.advance(1_001);
    expect((await pending).status).toBe(500);
    expect(prefill.state()).toMatchObject({ held: 0, expired: 1 });
  });

  it("tells prefill to free the KV when its client goes before it has fetched", async () => {
    const { prefill, decode } = await startPair({ kvTransferMs: 60_000 });
    const params = await prefilled(prefill);
    const client = new AbortController();
    const pending = fetch(decode.url + path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: splice(completion, "kv_transfer_params", params),
      signal: client.signal,
    }).catch(() => {});
    await eventually(() => decode.state().waiting === 1);
    client.abort();
    await pending;
    await eventually(() => prefill.state().held === 0);
    expect(prefill.state()).toMatchObject({ released: 1, fetched: 0 });
    expect(decode.state()).toMatchObject({ aborted: { waiting: 1 }, failed: 0 });
  });
});

/** A prefill whose steps need the clock to move. */
async function prefilledOn(clock: FakeClock, engine: RunningEngine): Promise<string> {
  const params = prefilled(engine);
  await eventually(() => {
    clock.advance(1);
    return engine.state().held === 1;
  });
  return params;
}

describe("an engine of both kinds", () => {
  it("does what the parameters say, and works alone without any", async () => {
    const first = await start({ role: "mixed" });
    const second = await start({ role: "mixed" });
    expect((await decoded(second, await prefilled(first))).status).toBe(200);
    expect((await post(second.url, path, completion)).status).toBe(200);
    expect(second.state()).toMatchObject({ remotePrefills: 1, protocolViolations: 0 });
    expect(first.state()).toMatchObject({ held: 0, fetched: 1 });
    expect(second.state().recomputed.missing_params).toBe(0);
  });
});

describe("the usage, when it tells of the cache", () => {
  const usageOf = async (response: Response | Promise<Response>) =>
    ((await (await response).json()) as { usage: object }).usage;

  it("is of the own prefix cache at prefill, and of nearly all the prompt at decode", async () => {
    const { prefill, decode } = await startPair({ promptTokensDetails: true, prefixCache: true });
    const long = { ...completion, prompt: "sea ".repeat(40) };
    const request = { ...long, max_tokens: 1, kv_transfer_params: hold };
    const ask = () => usageOf(post(prefill.url, path, request));
    expect(await ask()).toMatchObject({ prompt_tokens: 40, prompt_tokens_details: null });
    expect(await ask()).toMatchObject({ prompt_tokens_details: { cached_tokens: 32 } });
    const params = await prefilled(prefill, { prompt: long.prompt });
    expect(await usageOf(decoded(decode, params, long))).toMatchObject({
      prompt_tokens: 40,
      prompt_tokens_details: { cached_tokens: 39 },
    });
  });
});
