/**
 * Each endpoint through real engines: prefilled and decoded, the response that of one engine, and kept ones found by
 * any worker.
 */
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask, post } from "../support/http-client.ts";
import { bunAndOneNode, sharingRuntimes } from "../support/runtimes.ts";
import { type Engine, instant, type ServingProxy, Stack, totals } from "../support/stack.ts";
import { patienceMs } from "../support/times.ts";

/** Long enough for whole blocks of it to be cached when it comes again. */
const text = "Where does the KV cache of this very prompt go once prefill is done with it? ".repeat(
  4,
);
const messages = [{ role: "user", content: text }];
const tokenIds = Array.from({ length: 90 }, (_, i) => i + 1000);
/** So that answers that say their own id say the same one. */
const mine = { request_id: "resp_mine" };

type Case = readonly [path: string, body: Readonly<Record<string, unknown>>];

const ofBoth: readonly Case[] = [
  ["/v1/responses", { ...mine, input: text, max_output_tokens: 6 }],
  ["/v1/responses", { ...mine, input: messages, instructions: "Be brief.", store: false }],
  ["/v1/messages", { model: "simulated", messages, max_tokens: 6 }],
  [
    "/v1/messages",
    { model: "simulated", system: "Be brief.", messages, max_tokens: 40, stop_sequences: ["the"] },
  ],
  ["/v1/chat/completions", { messages, max_tokens: 6 }],
];
const ofVllm: readonly Case[] = [
  ["/inference/v1/generate", { token_ids: tokenIds, sampling_params: { max_tokens: 6 } }],
  ["/inference/v1/generate", { token_ids: tokenIds, sampling_params: {} }],
  [
    "/inference/v1/generate",
    { token_ids: tokenIds, sampling_params: { max_tokens: 9, min_tokens: 9, seed: 3 } },
  ],
];
const ofSglang: readonly Case[] = [
  ["/generate", { text, sampling_params: { max_new_tokens: 6 } }],
  ["/generate", { text: [text, "another"], sampling_params: { max_new_tokens: 6 } }],
  ["/generate", { text, sampling_params: { max_new_tokens: 6, n: 2 } }],
  [
    "/generate",
    {
      input_ids: [tokenIds, [1, 2, 3]],
      sampling_params: [{ max_new_tokens: 5 }, { max_new_tokens: 5 }],
    },
  ],
  ["/generate", { text }],
];

const fleets = [
  { dialect: "omni", cases: [...ofBoth, ...ofVllm] },
  { dialect: "vllm-nixl", cases: [...ofBoth, ...ofVllm] },
  { dialect: "sglang", cases: [...ofBoth, ...ofSglang] },
].flatMap((fleet) => bunAndOneNode(fleet.dialect).map((runtime) => ({ runtime, ...fleet })));
/**
 * What SGLang counts as cached in each event is right in the last one of a choice: no token waits for what the prefill
 * has to say.
 */
function meantimeless(body: string): string {
  if (!body.includes('"finish_reason":null')) return body;
  const events = body.split("\n\n").map((event) => {
    const isLast = !event.includes('"finish_reason":null');
    return isLast ? event : event.replaceAll(/"cached_tokens":\d+/g, '"cached_tokens":0');
  });
  return events.join("\n\n");
}

const reported = [...instant, "--prompt-tokens-details", "--prefix-cache"];

describe.each(fleets)("on $runtime, $dialect", ({ runtime, dialect, cases }) => {
  const stack = new Stack(runtime);
  let pair: readonly Engine[];
  let direct: Engine;
  let proxy: ServingProxy;

  beforeAll(async () => {
    const switches = [...reported, "--dialect", dialect];
    const [prefills, decodes, mixed] = await Promise.all([
      stack.startEngines("prefill", 1, switches),
      stack.startEngines("decode", 1, switches),
      stack.startEngines("mixed", 1, switches),
    ]);
    pair = [prefills[0]!, decodes[0]!];
    direct = mixed[0]!;
    proxy = await stack.startByFlags(prefills, decodes, "--dialect", dialect);
  });
  afterAll(() => stack.end());

  const both = cases.flatMap(([path, body]) =>
    [false, true].map((stream) => [path, { ...body, ...(stream && { stream }) }] as const),
  );

  test.each(both)("%s %j gets the response of one engine, cached or not", async (path, body) => {
    const headers = { "x-request-id": "same" };
    for (let time = 0; time < 2; time += 1) {
      const expected = await post(direct.url + path, body, { headers });
      const response = await post(proxy.url + path, body, { headers });
      expect(expected.status).toBe(200);
      expect(meantimeless(response.body)).toBe(meantimeless(expected.body));
      expect(response).toMatchObject({ status: 200, end: "whole" });
    }
  });

  test("all of them with a KV transfer: nothing was computed twice", async () => {
    const states = await stack.settled(pair);
    expect(totals(states)).toMatchObject({ recomputed: 0, violations: 0 });
    expect(states[1]!.remotePrefills).toBeGreaterThanOrEqual(2 * both.length);
  });

  test.each([
    ["/tokenize", { prompt: "a b" }],
    ["/v1/messages/count_tokens", { model: "simulated", messages }],
    ["/v1/embeddings", { input: "a" }],
    ["/v1/messages", { model: "simulated", messages, max_tokens: 0 }],
    ["/v1/messages", { model: "simulated", messages }],
    ["/v1/responses", { input: 5 }],
    ["/v1/responses", { input: "a", previous_response_id: "resp_unknown" }],
    ["/v1/nothing", {}],
  ])("%s %j gets an engine's own response, errors too", async (path, body) => {
    const expected = await post(direct.url + path, body);
    const response = await post(proxy.url + path, body);
    expect([response.status, response.body]).toEqual([expected.status, expected.body]);
  });
});

describe.each(sharingRuntimes)("stored responses on %s, with four workers", (runtime) => {
  const stack = new Stack(runtime, { ownProcesses: true });
  let client: OpenAI;
  let proxy: ServingProxy;
  let decodes: Engine[];

  beforeAll(async () => {
    const switches = [...reported, "--dialect", "vllm-nixl"];
    const prefills = await stack.startEngines("prefill", 2, switches);
    decodes = await stack.startEngines("decode", 4, switches);
    const flags = ["--dialect", "vllm-nixl", "--workers", "4", "--decode-policy", "random"];
    proxy = await stack.startByFlags(prefills, decodes, ...flags);
    client = new OpenAI({
      apiKey: "none",
      maxRetries: 0,
      timeout: patienceMs,
      baseURL: `${proxy.url}/v1`,
    });
  });
  afterAll(() => stack.end());

  test("the openai package creates, streams, continues, fetches and deletes", async () => {
    const model = "simulated";
    for (let turn = 0; turn < 8; turn += 1) {
      const first = await client.responses.create({ model, input: `Hello ${turn}` });
      expect(first.output_text.length).toBeGreaterThan(0);
      expect((await client.responses.retrieve(first.id)).id).toBe(first.id);
      const next = await client.responses.create({
        model,
        input: "And then?",
        previous_response_id: first.id,
      });
      expect(next.previous_response_id).toBe(first.id);
      const streamed = await client.responses.create({
        model,
        input: "And then?",
        previous_response_id: next.id,
        stream: true,
      });
      let last = "";
      for await (const event of streamed) {
        if (event.type === "response.completed") last = event.response.id;
      }
      expect((await client.responses.retrieve(last)).output_text).not.toBe("");
      await client.responses.delete(last).catch((error: unknown) => {
        // Not all engines can; the one that keeps it says so.
        expect(error).toMatchObject({ status: 405 });
      });
    }
    const unknown = client.responses.retrieve("resp_0123456789abcdef0123456789abcdef");
    await expect(unknown).rejects.toMatchObject({ status: 404 });
  });

  test("one list of models for all engines, whoever of them is gone", async () => {
    const models = async () => (await client.models.list()).data.map(({ id }) => id);
    expect(await models()).toEqual(["simulated"]);
    await decodes[3]!.kill();
    expect(await models()).toEqual(["simulated"]);
    expect((await ask(`${proxy.url}/v1/models`)).headers["server"]).toBe("global-proxy");
  });
});
