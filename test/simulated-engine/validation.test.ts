import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { instantTiming } from "../../src/simulated-engine/options.ts";
import { type RunningEngine, startEngine } from "../../src/simulated-engine/server.ts";
import { post } from "./http.ts";

let engine: RunningEngine;
beforeAll(async () => {
  engine = await startEngine({ role: "mixed", maxModelLen: 1_000, ...instantTiming });
});
afterAll(() => engine.close());

const good = { prompt: "hello", max_tokens: 3 };
const goodChat = { messages: [{ role: "user", content: "hello" }], max_tokens: 3 };

describe("a request is refused with 400 when", () => {
  it.each([
    ["stream_options come without stream", { stream_options: { include_usage: true } }],
    ["max_tokens is 0", { max_tokens: 0 }],
    ["max_tokens is text", { max_tokens: "3" }],
    ["max_tokens is a fraction", { max_tokens: 1.5 }],
    ["min_tokens is above max_tokens", { min_tokens: 4 }],
    ["min_tokens is negative", { min_tokens: -1 }],
    ["stream is text", { stream: "true" }],
    ["n is 0", { n: 0 }],
    ["n has no bound", { n: 1e9 }],
    ["stop is a number", { stop: 3 }],
    ["stop is empty", { stop: [""] }],
    ["temperature is negative", { temperature: -1 }],
    ["the prompt is missing", { prompt: undefined }],
    ["the prompt is empty", { prompt: "" }],
    ["the prompt mixes types", { prompt: ["a", 1] }],
    ["the answer does not fit the context", { max_tokens: 1_001 }],
    ["the prompt does not fit the context", { prompt: "hello ".repeat(2_000) }],
    ["the prompt leaves no room for the least answer", { max_tokens: 1_000, min_tokens: 1_000 }],
    ["kv_transfer_params is a list", { kv_transfer_params: [] }],
  ])("%s", async (_name, changes) => {
    const response = await post(engine.url, "/v1/completions", { ...good, ...changes });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: { type: "BadRequestError", code: 400, message: expect.any(String) },
    });
  });

  it.each([
    ["there are no messages", { messages: [] }],
    ["a message has no role", { messages: [{ content: "a" }] }],
    ["max_completion_tokens is 0", { max_completion_tokens: 0 }],
    ["tools are text", { tools: "f" }],
  ])("in chat %s", async (_name, changes) => {
    const response = await post(engine.url, "/v1/chat/completions", { ...goodChat, ...changes });
    expect(response.status).toBe(400);
  });

  it.each(["", "{", "[]", '"text"', '{"prompt":"a"} x', '{"prompt":"a",}'])(
    "the body is %j",
    async (body) => {
      expect((await post(engine.url, "/v1/completions", body)).status).toBe(400);
    },
  );

  it("the body is not UTF-8", async () => {
    const body = Buffer.from('{"prompt":"\xe9"}', "latin1");
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${engine.url}/v1/completions`, { method: "POST", headers, body });
    expect(response.status).toBe(400);
  });

  it("the body is not said to be JSON", async () => {
    const response = await post(engine.url, "/v1/completions", good, {
      "content-type": "text/plain",
    });
    expect(response.status).toBe(400);
  });
});

describe("other refusals", () => {
  it("knows its one model", async () => {
    const response = await post(engine.url, "/v1/completions", { ...good, model: "other" });
    expect(response.status).toBe(404);
    expect(await response.json()).toEqual({
      error: {
        message: "The model `other` does not exist.",
        type: "NotFoundError",
        param: "model",
        code: 404,
      },
    });
  });

  it("knows its paths and methods", async () => {
    expect((await fetch(`${engine.url}/nothing`)).status).toBe(404);
    expect((await fetch(`${engine.url}/constructor`)).status).toBe(404);
    expect((await fetch(`${engine.url}/v1/completions`)).status).toBe(405);
  });

  it("does not take a body without bound", async () => {
    const body = Buffer.alloc(67_108_865, 32);
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${engine.url}/v1/completions`, { method: "POST", headers, body });
    expect(response.status).toBe(413);
  });
});

describe("what a request may look like", () => {
  it.each([
    ["null where a field is optional", { n: null, stop: null, stream_options: null, seed: null }],
    ["a seed beyond 2^53", { seed: 2 ** 63 }],
    ["unknown fields", { future: { deep: [1] } }],
    ["token ids", { prompt: [1, 2, 3] }],
  ])("%s", async (_name, changes) => {
    const response = await post(engine.url, "/v1/completions", { ...good, ...changes });
    expect(response.status).toBe(200);
  });

  it("has one choice per prompt and n, and a prompt's text does not depend on its neighbours", async () => {
    const many = await post(engine.url, "/v1/completions", {
      ...good,
      prompt: ["hello", "b"],
      n: 2,
    });
    const one = await post(engine.url, "/v1/completions", good);
    const { choices, usage } = (await many.json()) as { choices: Choice[]; usage: object };
    const single = (await one.json()) as { choices: Choice[] };
    expect(choices.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    expect(choices[0]!.text).toBe(single.choices[0]!.text);
    expect(usage).toMatchObject({ prompt_tokens: 3, completion_tokens: 12, total_tokens: 15 });
  });

  it("tells seeds beyond 2^53 apart by their digits", async () => {
    const texts = new Set<string>();
    for (const seed of ["9007199254740992", "9007199254740993"]) {
      const response = await post(engine.url, "/v1/completions", `{"prompt":"a","seed":${seed}}`);
      texts.add(((await response.json()) as { choices: Choice[] }).choices[0]!.text);
    }
    expect(texts.size).toBe(2);
  });
});

interface Choice {
  readonly index: number;
  readonly text: string;
}
