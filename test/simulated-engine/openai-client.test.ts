import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { instantTiming } from "../../src/simulated-engine/options.ts";
import { type RunningEngine, startEngine } from "../../src/simulated-engine/server.ts";
import { post } from "./http.ts";

let engine: RunningEngine;
let client: OpenAI;
beforeAll(async () => {
  engine = await startEngine({ role: "mixed", model: "m", ...instantTiming });
  client = new OpenAI({ apiKey: "none", baseURL: `${engine.url}/v1`, maxRetries: 0 });
});
afterAll(() => engine.close());

const messages = [{ role: "user" as const, content: "Tell me of the sea" }];

describe("the openai package", () => {
  it("reads a chat response, whole and streamed, as the same text", async () => {
    const whole = await client.chat.completions.create({ model: "m", messages, max_tokens: 40 });
    const stream = await client.chat.completions.create({
      model: "m",
      messages,
      max_completion_tokens: 40,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "";
    let role: string | undefined;
    const finishes: unknown[] = [];
    let usage: OpenAI.CompletionUsage | null | undefined;
    for await (const chunk of stream) {
      const choice = chunk.choices[0];
      text += choice?.delta.content ?? "";
      role ??= choice?.delta.role;
      if (choice?.finish_reason) finishes.push(choice.finish_reason);
      usage = chunk.usage;
      if (usage) expect(chunk.choices).toEqual([]);
    }
    expect(text).toBe(whole.choices[0]!.message.content);
    expect([role, finishes]).toEqual(["assistant", ["length"]]);
    expect(usage).toEqual(whole.usage);
    expect(whole.usage!.completion_tokens).toBe(40);
  });

  it("reads completions with n, and every choice of the stream in full", async () => {
    const whole = await client.completions.create({ model: "m", prompt: "a", n: 3 });
    const texts = ["", "", ""];
    const stream = await client.completions.create({ model: "m", prompt: "a", n: 3, stream: true });
    for await (const chunk of stream) {
      for (const choice of chunk.choices) texts[choice.index] += choice.text;
    }
    expect(texts).toEqual(whole.choices.map((choice) => choice.text));
    expect(new Set(texts).size).toBe(3);
    expect(whole.choices[0]!.finish_reason).toBe("stop");
  });

  it("stops at a stop string, in a stream too", async () => {
    const free = await client.completions.create({ model: "m", prompt: "a", max_tokens: 30 });
    const text = free.choices[0]!.text;
    const stop = text.slice(20, 27);
    const cut = await client.completions.create({ model: "m", prompt: "a", max_tokens: 30, stop });
    expect(cut.choices[0]).toMatchObject({
      text: text.slice(0, text.indexOf(stop)),
      finish_reason: "stop",
    });
    let streamed = "";
    const request = { model: "m", prompt: "a", max_tokens: 30, stop: [stop] };
    for await (const chunk of await client.completions.create({ ...request, stream: true })) {
      streamed += chunk.choices[0]!.text;
    }
    expect(streamed).toBe(cut.choices[0]!.text);
  });

  it("sees errors as its own", async () => {
    await expect(client.completions.create({ model: "other", prompt: "a" })).rejects.toThrow(
      OpenAI.NotFoundError,
    );
    await expect(
      client.completions.create({ model: "m", prompt: "a", max_tokens: 0 }),
    ).rejects.toThrow(OpenAI.BadRequestError);
  });

  it("lists the model", async () => {
    const { data } = await client.models.list();
    expect(data.map((model) => model.id)).toEqual(["m"]);
  });
});

describe("around inference", () => {
  it("responds with uvicorn's headers, and says nothing of keep-alive", async () => {
    const response = await post(engine.url, "/v1/completions", { prompt: "a", max_tokens: 2 });
    const names = [...response.headers.keys()].sort();
    expect(names).toEqual(["content-length", "content-type", "date", "server"]);
    expect(response.headers.get("server")).toBe("uvicorn");
    const stream = await post(engine.url, "/v1/completions", { prompt: "a", stream: true });
    expect(stream.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    await stream.text();
  });

  it("takes the id from X-Request-Id, or from the prompt", async () => {
    const idOf = async (headers: Record<string, string>): Promise<string> => {
      const response = await post(engine.url, "/v1/completions", { prompt: "a" }, headers);
      return ((await response.json()) as { id: string }).id;
    };
    expect(await idOf({ "x-request-id": "abc" })).toBe("cmpl-abc");
    expect(await idOf({})).toBe(await idOf({}));
  });

  it("counts tokens", async () => {
    const tokens = (await (
      await post(engine.url, "/tokenize", { prompt: "x".repeat(41) })
    ).json()) as {
      count: number;
      tokens: number[];
    };
    expect([tokens.count, tokens.tokens.length]).toEqual([11, 11]);
    expect((await post(engine.url, "/tokenize", { messages })).status).toBe(200);
    expect((await post(engine.url, "/tokenize", {})).status).toBe(400);
  });

  it("is healthy, has a version, and records what arrived", async () => {
    const health = await fetch(`${engine.url}/health`);
    expect([health.status, await health.text()]).toEqual([200, ""]);
    expect(await (await fetch(`${engine.url}/version`)).json()).toHaveProperty("version");
    await post(engine.url, "/v1/completions?x=1", { prompt: "recorded" });
    const requests = (await (await fetch(`${engine.url}/debug/requests`)).json()) as object[];
    expect(requests.at(-1)).toMatchObject({
      path: "/v1/completions",
      body: '{"prompt":"recorded"}',
    });
  });

  it("has vLLM's metrics", async () => {
    const text = await (await fetch(`${engine.url}/metrics`)).text();
    for (const name of [
      'vllm:num_requests_running{engine="0",model_name="m"} 0.0',
      'vllm:num_requests_waiting{engine="0",model_name="m"} 0.0',
      "vllm:kv_cache_usage_perc{",
      "vllm:prefix_cache_queries_total{",
      "vllm:prefix_cache_hits_total{",
      'vllm:time_to_first_token_seconds_bucket{le="+Inf",engine="0"',
      "vllm:inter_token_latency_seconds_sum{",
      "vllm:e2e_request_latency_seconds_count{",
      'vllm:request_success_total{finished_reason="stop",engine="0",model_name="m"}',
    ]) {
      expect(text).toContain(name);
    }
    for (const line of text.trimEnd().split("\n")) {
      expect(line).toMatch(/^(#|[a-z_:0-9]+\{[^}]*\} [-+.e0-9]+$)/);
    }
  });
});
