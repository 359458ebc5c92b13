/**
 * Answers that take no decode, in the words of each family: ids that are not the text's, numbers that a client cannot
 * read.
 */
import OpenAI from "openai";
import { afterAll, describe, expect, it } from "vitest";
import { instantTiming } from "../../../src/simulated-engine/options.ts";
import { startEngine } from "../../../src/simulated-engine/server.ts";
import { post } from "../http.ts";

const vllm = await startEngine({ role: "mixed", ...instantTiming });
const sglang = await startEngine({ role: "mixed", dialect: "sglang", ...instantTiming });
const trtllm = await startEngine({ role: "mixed", dialect: "trtllm", ...instantTiming });
afterAll(() => Promise.all([vllm, sglang, trtllm].map((engine) => engine.close())));

async function ask(url: string, path: string, body: object) {
  const response = await post(url, path, body);
  return { status: response.status, json: JSON.parse(await response.text()) };
}

describe("tokenize and detokenize", () => {
  it("are each other's inverse", async () => {
    for (const prompt of ["to and fro", "naïve 東京 🚀", "x"]) {
      const { tokens } = (await ask(vllm.url, "/tokenize", { prompt })).json;
      expect((await ask(vllm.url, "/detokenize", { tokens })).json).toEqual({ prompt });
      expect((await ask(sglang.url, "/detokenize", { tokens })).json).toEqual({ text: prompt });
    }
    expect((await ask(vllm.url, "/detokenize", { tokens: [] })).json).toEqual({ prompt: "" });
  });

  it("take several at SGLang, and one at vLLM", async () => {
    const prompt = ["one", "two and three"];
    const { json } = await ask(sglang.url, "/tokenize", { prompt });
    expect(json).toMatchObject({ count: [1, 4], max_model_len: expect.any(Number) });
    const back = await ask(sglang.url, "/detokenize", { tokens: json.tokens });
    expect(back.json).toEqual({ text: prompt });
    expect((await ask(vllm.url, "/tokenize", { prompt })).status).toBe(400);
    expect((await ask(vllm.url, "/detokenize", { tokens: json.tokens })).status).toBe(400);
  });

  it("give the tokens' texts when asked", async () => {
    const body = { prompt: "one two", return_token_strs: true };
    const { json } = await ask(vllm.url, "/tokenize", body);
    expect(json).toMatchObject({ count: 2, token_strs: ["one ", "two"] });
  });

  it.each([
    ["/tokenize", { prompt: 5 }],
    ["/tokenize", {}],
    ["/detokenize", { tokens: "5" }],
    ["/detokenize", { tokens: [-1] }],
    ["/detokenize", {}],
  ])("%s refuses %j", async (path, body) => {
    expect((await ask(vllm.url, path, body)).status).toBe(400);
    expect((await ask(sglang.url, path, body)).status).toBe(400);
  });
});

describe("embeddings", () => {
  it("are read by OpenAI's own client, which asks for base64, and are the same as floats", async () => {
    const client = new OpenAI({ baseURL: `${vllm.url}/v1`, apiKey: "none" });
    const [read] = (await client.embeddings.create({ model: "simulated", input: "sea" })).data;
    const { json } = await ask(vllm.url, "/v1/embeddings", { input: ["sea", "tree"] });
    expect(read!.embedding).toEqual(json.data[0].embedding);
    expect(json.data[1].embedding).not.toEqual(json.data[0].embedding);
    expect(json.usage).toMatchObject({ prompt_tokens: 2, total_tokens: 2 });
  });

  it("are of the dimensions that were asked for, and refused for a model that there is not", async () => {
    const body = { input: [[1, 2]], dimensions: 3 };
    const { json } = await ask(vllm.url, "/v1/embeddings", body);
    expect(json.data[0].embedding).toHaveLength(3);
    const wrong = await ask(vllm.url, "/v1/embeddings", { ...body, model: "other" });
    expect(wrong.status).toBe(404);
  });
});

describe("rerank", () => {
  const body = { query: "sea", documents: ["one", "two", "three"] };

  it("puts the best first, and tells no more than asked", async () => {
    const { results } = (await ask(vllm.url, "/rerank", body)).json;
    const scores = results.map((one: { relevance_score: number }) => one.relevance_score);
    expect(scores).toEqual([...scores].sort().reverse());
    for (const { index, document } of results) expect(document.text).toBe(body.documents[index]);
    const best = await ask(vllm.url, "/v2/rerank", { ...body, top_n: 1 });
    expect(best.json.results).toEqual(results.slice(0, 1));
  });

  it("is a list at SGLang", async () => {
    const { json } = await ask(sglang.url, "/v1/rerank", body);
    expect(json.map(({ document }: { document: string }) => document).sort()).toEqual(
      [...body.documents].sort(),
    );
  });
});

it.each(["/tokenize", "/detokenize", "/v1/embeddings", "/v1/rerank", "/generate", "/rerank"])(
  "TensorRT-LLM has no %s",
  async (path) => {
    expect((await ask(trtllm.url, path, {})).status).toBe(404);
  },
);
