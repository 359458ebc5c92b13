/** What TensorRT-LLM's servers do with what they are told, and with what they are not. */
import { afterEach, describe, expect, it } from "vitest";
import { type EngineOptions, instantTiming } from "../../../../src/simulated-engine/options.ts";
import { type RunningEngine, startEngine } from "../../../../src/simulated-engine/server.ts";
import { eventually } from "../../../support/eventually.ts";
import { post } from "../../http.ts";

const running: RunningEngine[] = [];

async function start(options: EngineOptions): Promise<RunningEngine> {
  const engine = await startEngine({ dialect: "trtllm", ...instantTiming, ...options });
  running.push(engine);
  return engine;
}

async function startPair(dialect = "trtllm", options: Partial<EngineOptions> = {}) {
  const context = await start({ role: "prefill", dialect, ...options });
  const generation = await start({ role: "decode", dialect, ...options });
  return { context, generation };
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((engine) => engine.close()));
});

const path = "/v1/completions";
const chatPath = "/v1/chat/completions";
const completion = { model: "simulated", prompt: "Tell me of the sea", max_tokens: 20 };
const chat = { messages: [{ role: "user", content: "Tell me of the sea" }], max_tokens: 20 };
/** No double holds it. */
const id = "9223372036854775807";

function withParams(body: object, params: string): string {
  return `${JSON.stringify(body).slice(0, -1)},"disaggregated_params":{${params}}}`;
}

const contextParams = (of = id) => `"request_type":"context_only","disagg_request_id":${of}`;

/** A context, and the body of its generation, put together by hand from the answer's text. */
async function contextOf(
  context: RunningEngine,
  at: string,
  body: { readonly [key: string]: unknown },
  of = id,
) {
  const response = await (await post(context.url, at, withParams(body, contextParams(of)))).text();
  const { choices, usage, prompt_token_ids: ids } = JSON.parse(response);
  const params = /"disaggregated_params":\{(.*?)\}/
    .exec(response)![1]!
    .replace("context_only", "generation_only")
    .replace('"ctx_usage":null', `"ctx_usage":${JSON.stringify(usage)}`);
  const more = at === path ? { prompt: ids } : { prompt_token_ids: ids };
  return { choice: choices[0], params, body: { ...body, ...more } };
}

const generationFirst = async (context: RunningEngine) => {
  const info = await (await fetch(`${context.url}/server_info`)).json();
  const { ctx_info_endpoint: endpoints } = (
    info as { disaggregated_params: { ctx_info_endpoint: string[] } }
  ).disaggregated_params;
  return {
    context: `${contextParams()},"schedule_style":1`,
    generation: `"request_type":"generation_only","disagg_request_id":${id},"ctx_request_id":${id},"schedule_style":1,"ctx_info_endpoint":"${endpoints[0]}"`,
  };
};

describe("context first", () => {
  it.each([
    [path, completion, true],
    [path, completion, false],
    [chatPath, chat, true],
    [chatPath, chat, false],
  ])("%s: both legs give the very answer of one engine alone", async (at, request, stream) => {
    const { context, generation } = await startPair();
    const first = await contextOf(context, at, request);
    expect(first.choice.finish_reason).toBe("not_finished");
    expect(context.state()).toMatchObject({ held: 1 });
    const body = withParams({ ...first.body, stream }, first.params);
    const headers = { "x-request-id": "one" };
    const response = await (await post(generation.url, at, body, headers)).text();
    const alone = await start({ role: "mixed" });
    expect(response).toBe(
      await (await post(alone.url, at, { ...request, stream }, headers)).text(),
    );
    expect(generation.state()).toMatchObject({ remotePrefills: 1, protocolViolations: 0 });
    expect(context.state()).toMatchObject({ held: 0, fetched: 1, protocolViolations: 0 });
  });

  it("the context says whether the client wants more than the one token", async () => {
    const context = await start({ role: "prefill" });
    const reason = async (body: object, of: string) =>
      (await contextOf(context, path, { ...completion, ...body }, of)).choice.finish_reason;
    expect(await reason({ max_tokens: 1 }, "4398046511105")).toBe("length");
    expect(await reason({ max_tokens: 2 }, "4398046511106")).toBe("not_finished");
    expect(await reason({ max_tokens: undefined }, "4398046511107")).toBe("not_finished");
    expect(context.state().held).toBe(3);
  });

  it("nothing is kept of a response that ends with its first token", async () => {
    const context = await start({ role: "prefill", eosAfterTokens: 1 });
    const { choice } = await contextOf(context, path, completion);
    expect(choice.finish_reason).toBe("stop");
    expect(context.state()).toMatchObject({ held: 0, stored: 0 });
  });

  it("tells the cached tokens that the context was said to have, not its own", async () => {
    const options = { promptTokensDetails: true, prefixCache: true };
    const { context, generation } = await startPair("trtllm", options);
    const prompt = "Tell me of the sea. ".repeat(20);
    for (const of of ["4398046511105", "4398046511106"]) {
      const first = await contextOf(context, path, { ...completion, prompt }, of);
      const response = await post(generation.url, path, withParams(first.body, first.params));
      const { usage } = (await response.json()) as {
        usage: { prompt_tokens_details: { cached_tokens: number } | null; prompt_tokens: number };
      };
      if (of.endsWith("5")) expect(usage.prompt_tokens_details).toBeNull();
      else {
        const { cached_tokens } = usage.prompt_tokens_details!;
        expect(cached_tokens).toBeGreaterThan(0);
        expect(cached_tokens).toBeLessThan(usage.prompt_tokens - 1);
      }
    }
  });

  it.each([
    [
      "a rounded id of the context",
      (params: string) => params.replace(/("ctx_request_id":\d+)\d{3}/, "$1000"),
    ],
    [
      "another state",
      (params: string) => params.replace(/("encoded_opaque_state":")[^"]*/, "$1YWJj"),
    ],
  ])("fails over %s", async (_, spoil) => {
    const { context, generation } = await startPair();
    const first = await contextOf(context, path, completion);
    const response = await post(generation.url, path, withParams(first.body, spoil(first.params)));
    expect(response.status).toBe(500);
    expect(await response.text()).toContain("KV cache transfer failed");
    expect(generation.state()).toMatchObject({ remotePrefills: 0, failed: 1 });
  });

  it.each([
    ["the text of its prompt", path, completion, {}],
    ["no tokens of a chat", chatPath, chat, {}],
    ["other tokens of a chat", chatPath, chat, { prompt_token_ids: [1] }],
  ])("counts a generation that was told %s", async (_, at, request, more) => {
    const { context, generation } = await startPair();
    const { params } = await contextOf(context, at, request);
    await post(generation.url, at, withParams({ ...request, ...more }, params));
    expect(generation.state().violations).toEqual([
      "A generation came without its context's tokens.",
    ]);
  });
});

describe("generation first", () => {
  it.each([true, false])(
    "gives the answer of one engine alone, whoever comes first (stream: %s)",
    async (stream) => {
      const { context, generation } = await startPair();
      const params = await generationFirst(context);
      const headers = { "x-request-id": "one" };
      const legs = [
        post(context.url, path, withParams(completion, params.context)),
        post(
          generation.url,
          path,
          withParams({ ...completion, stream }, params.generation),
          headers,
        ),
      ] as const;
      const [first, response] = await Promise.all(legs);
      expect(first.status).toBe(200);
      const alone = await start({ role: "mixed" });
      expect(await response.text()).toBe(
        await (await post(alone.url, path, { ...completion, stream }, headers)).text(),
      );
      expect(generation.state()).toMatchObject({ remotePrefills: 1, protocolViolations: 0 });
      expect(context.state()).toMatchObject({
        held: 0,
        rendezvousWaiting: 0,
        protocolViolations: 0,
      });
    },
  );

  it("a context does not begin before it is asked, and gives up when its time is up", async () => {
    const context = await start({ role: "prefill", dialect: "trtllm:kvTransferTimeoutMs=150" });
    const params = await generationFirst(context);
    const response = await post(context.url, path, withParams(completion, params.context));
    expect(response.status).toBe(500);
    expect(context.state()).toMatchObject({ stored: 0, rendezvousTimedOut: 1 });
  });

  it("a generation whose context never comes waits until its time is up: a proxy must cancel it", async () => {
    const { context, generation } = await startPair("trtllm:kvTransferTimeoutMs=150");
    const params = await generationFirst(context);
    const response = await post(generation.url, path, withParams(completion, params.generation));
    expect(response.status).toBe(500);
    expect(await response.text()).toContain("KV cache transfer failed");
  });

  it("a generation that goes away leaves no ask behind", async () => {
    const { context, generation } = await startPair();
    const params = await generationFirst(context);
    const gone = new AbortController();
    const asked = fetch(generation.url + path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: withParams(completion, params.generation),
      signal: gone.signal,
    }).catch(() => undefined);
    await eventually(() => context.state().rendezvousWaiting === 1);
    gone.abort();
    await asked;
    await eventually(() => context.state().rendezvousWaiting === 0);
  });
});

it("a server with a key refuses a generation that is not signed with it", async () => {
  const { context, generation } = await startPair("trtllm:authKey=secret");
  const { generation: params } = await generationFirst(context);
  for (const reported of ["", "sha256=00"]) {
    const headers = reported === "" ? {} : { "x-trtllm-disagg-auth": reported };
    const body = withParams(completion, params);
    expect((await post(generation.url, path, body, headers)).status).toBe(400);
  }
  expect(generation.state().violations).toContain("A generation was not signed.");
});

describe("what a server does not know", () => {
  it("a generation server computes a prompt of which it hears nothing, and counts it", async () => {
    const generation = await start({ role: "decode" });
    expect((await post(generation.url, path, completion)).status).toBe(200);
    expect(generation.state().recomputed).toMatchObject({ missing_params: 1 });
  });

  it.each([
    ["a whole request to a context server", "prefill", JSON.stringify(completion), 200],
    ["a small id", "prefill", withParams(completion, contextParams("4398046511103")), 400],
    [
      "an id beyond 63 bits",
      "prefill",
      withParams(completion, contextParams("9223372036854775808")),
      400,
    ],
    ["no id", "prefill", withParams(completion, `"request_type":"context_only"`), 400],
    [
      "a streamed context",
      "prefill",
      withParams({ ...completion, stream: true }, contextParams()),
      200,
    ],
    ["several choices", "prefill", withParams({ ...completion, n: 2 }, contextParams()), 200],
    [
      "another family's KV transfer",
      "prefill",
      withParams({ ...completion, bootstrap_room: 1 }, contextParams()),
      400,
    ],
    ["a context to a generation server", "decode", withParams(completion, contextParams()), 200],
    [
      "no place of its context",
      "decode",
      withParams(completion, `"request_type":"generation_only","disagg_request_id":${id}`),
      400,
    ],
  ] as const)("%s is a violation", async (_, role, body, status) => {
    const engine = await start({ role });
    const response = await post(engine.url, path, body);
    expect(response.status).toBe(status);
    await response.text();
    expect(engine.state().protocolViolations).toBeGreaterThan(0);
  });

  it("an id that comes twice is a violation: its KV may be another request's", async () => {
    const engine = await start({ role: "prefill" });
    for (const _ of [1, 2]) await post(engine.url, path, withParams(completion, contextParams()));
    expect(engine.state().violations).toEqual([`The id ${id} was used before.`]);
  });

  it.each(["schedule_style", "ctx_usage", "something"])(
    "an engine of before refuses %s, as whatever it does not know",
    async (field) => {
      const engine = await start({ role: "prefill", dialect: "trtllm:generation=older" });
      const body = withParams(completion, `${contextParams()},"${field}":null`);
      expect((await post(engine.url, path, body)).status).toBe(400);
      const { params } = await contextOf(engine, path, completion);
      expect(params).not.toContain(field);
    },
  );
});

it("tells of itself as trtllm-serve does", async () => {
  const engine = await start({ role: "prefill" });
  const get = async (at: string) => (await fetch(engine.url + at)).text();
  expect(JSON.parse(await get("/v1/models"))).toMatchObject({
    data: [{ owned_by: "tensorrt_llm" }],
  });
  expect(await get("/health")).toBe("");
  expect(JSON.parse(await get("/version"))).toHaveProperty("version");
  expect(await get("/perf_metrics")).toBe("[]");
  expect(await get("/prometheus/metrics")).toMatch(/^trtllm_num_requests_running\{.*\} 0$/m);
  expect(JSON.parse(await get("/server_info"))).toMatchObject({
    disaggregated_params: { ctx_dp_rank: 0, ctx_info_endpoint: [expect.stringMatching(/^tcp:/)] },
  });
});
