/**
 * Endpoints beside completions and chat: words that a real client or proxy would not recognise, and answers that do not
 * agree.
 */
import OpenAI from "openai";
import { afterAll, describe, expect, it, test } from "vitest";
import { instantTiming } from "../../../src/simulated-engine/options.ts";
import { startEngine } from "../../../src/simulated-engine/server.ts";

const vllm = await startEngine({ role: "mixed", ...instantTiming });
const sglang = await startEngine({ role: "mixed", dialect: "sglang", ...instantTiming });
afterAll(() => Promise.all([vllm.close(), sglang.close()]));

async function ask(url: string, path: string, body?: object, method = "POST") {
  const headers = { "content-type": "application/json" };
  const response = await fetch(url + path, {
    method,
    headers,
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, text, json: () => JSON.parse(text) };
}

/** The data of each event, by its name where it has one. */
function eventsOf(text: string): { name: string; data: unknown }[] {
  return text
    .split("\n\n")
    .filter((event) => event !== "")
    .map((event) => {
      const [, name = "", data = ""] = /^(?:event: (.*)\n)?data: (.*)$/.exec(event) ?? [];
      return { name, data: data === "[DONE]" ? data : JSON.parse(data) };
    });
}

describe("responses", () => {
  const client = new OpenAI({ baseURL: `${vllm.url}/v1`, apiKey: "none" });
  const request = { model: "simulated", input: "one two three", max_output_tokens: 20 };

  test("are read by OpenAI's own client, streamed and not, with the same text", async () => {
    const { id } = (await client.models.list()).data[0]!;
    const whole = await client.responses.create({ ...request, model: id });
    expect(whole.output_text.length).toBeGreaterThan(20);
    expect(whole.usage?.output_tokens).toBe(20);
    const stream = await client.responses.create({ ...request, model: id, stream: true });
    let text = "";
    const types: string[] = [];
    for await (const event of stream) {
      types.push(event.type);
      if (event.type === "response.output_text.delta") text += event.delta;
      if (event.type === "response.completed")
        expect(event.response.output_text ?? text).toBe(text);
    }
    expect(text).toBe(whole.output_text);
    expect(types[0]).toBe("response.created");
    expect(types.at(-1)).toBe("response.completed");
  });

  test("that are kept can be read, gone on with and deleted; others cannot", async () => {
    const { model: _, ...body } = request;
    const first = (await ask(vllm.url, "/v1/responses", body)).json();
    const read = await ask(vllm.url, `/v1/responses/${first.id}`, undefined, "GET");
    expect(read.json().output).toEqual(first.output);
    const follow = { ...body, previous_response_id: first.id };
    const second = (await ask(vllm.url, "/v1/responses", follow)).json();
    expect(second.usage.input_tokens).toBeGreaterThan(first.usage.input_tokens);
    expect((await ask(vllm.url, `/v1/responses/${first.id}`, undefined, "DELETE")).status).toBe(
      200,
    );
    for (const [path, method, more] of [
      [`/v1/responses/${first.id}`, "GET"],
      [`/v1/responses/resp_x/cancel`, "POST"],
      ["/v1/responses", "POST", follow],
    ] as const) {
      const { status, json } = await ask(vllm.url, path, more, method);
      expect([status, json().error.param]).toEqual([404, "response_id"]);
    }
    const unkept = (
      await ask(vllm.url, "/v1/responses", { ...body, store: false, request_id: "resp_a" })
    ).json();
    expect(unkept.id).toBe("resp_a");
    expect((await ask(vllm.url, "/v1/responses/resp_a", undefined, "GET")).status).toBe(404);
  });
});

describe("messages", () => {
  const models = async () =>
    (await ask(vllm.url, "/v1/models", undefined, "GET")).json().data[0].id;
  const messages = [{ role: "user", content: "hello there" }];

  test("streamed and not are the same, in Anthropic's events", async () => {
    const body = { model: await models(), messages, max_tokens: 12 };
    const whole = (await ask(vllm.url, "/v1/messages", body)).json();
    expect(whole).toMatchObject({ type: "message", role: "assistant", stop_reason: "max_tokens" });
    expect(whole.usage).toMatchObject({ output_tokens: 12 });
    const events = eventsOf((await ask(vllm.url, "/v1/messages", { ...body, stream: true })).text);
    const names = events.map(({ name }) => name).filter((name) => name !== "content_block_delta");
    expect(names).toEqual([
      "message_start",
      "content_block_start",
      "content_block_stop",
      "message_delta",
      "message_stop",
    ]);
    const deltas = events as { data: { delta?: { text?: string } } }[];
    expect(deltas.map(({ data }) => data.delta?.text ?? "").join("")).toBe(whole.content[0].text);
  });

  it("counts tokens, and says what is wrong in Anthropic's words", async () => {
    const body = { model: await models(), messages };
    const { input_tokens } = (await ask(vllm.url, "/v1/messages/count_tokens", body)).json();
    const whole = (await ask(vllm.url, "/v1/messages", { ...body, max_tokens: 1 })).json();
    expect(whole.usage.input_tokens).toBe(input_tokens);
    const wrong = await ask(vllm.url, "/v1/messages", body);
    expect([wrong.status, wrong.json().type]).toEqual([400, "error"]);
  });
});

test("vLLM's generate gives ids, streamed and not the same, of a bound within sampling_params", async () => {
  const body = { token_ids: [1, 2, 3], sampling_params: { max_tokens: 9 } };
  const whole = (await ask(vllm.url, "/inference/v1/generate", body)).json();
  expect(whole.choices[0].token_ids).toHaveLength(9);
  const streamed = await ask(vllm.url, "/inference/v1/generate", { ...body, stream: true });
  const events = eventsOf(streamed.text).slice(0, -1) as { data: typeof whole }[];
  expect(events.flatMap(({ data }) => data.choices[0].token_ids)).toEqual(
    whole.choices[0].token_ids,
  );
});

describe("SGLang's generate", () => {
  const sampling_params = { max_new_tokens: 8 };

  test("tells all of the text in each event, and of a batch which prompt it is of", async () => {
    const body = { text: "a b c", sampling_params };
    const whole = (await ask(sglang.url, "/generate", body)).json();
    expect(whole.meta_info).toMatchObject({ finish_reason: { type: "length", length: 8 } });
    const events = eventsOf((await ask(sglang.url, "/generate", { ...body, stream: true })).text);
    expect(events.at(-2)!.data).toEqual({
      ...whole,
      meta_info: { ...whole.meta_info, id: expect.any(String) },
    });
    const batch = (
      await ask(sglang.url, "/generate", { text: ["a b c", "d"], sampling_params })
    ).json();
    expect(batch.map(({ text }: { text: string }) => text)[0]).toBe(whole.text);
  });

  it("says what is wrong in its own words", async () => {
    const wrong = await ask(sglang.url, "/generate", { sampling_params });
    expect([wrong.status, Object.keys(wrong.json().error)]).toEqual([400, ["message"]]);
  });
});

test("an engine has the endpoints of its family only", async () => {
  expect((await ask(vllm.url, "/generate", { text: "x" })).status).toBe(404);
  const ids = { token_ids: [1], sampling_params: {} };
  expect((await ask(sglang.url, "/inference/v1/generate", ids)).status).toBe(404);
});

test("texts go to tokens and back", async () => {
  const { tokens } = (await ask(vllm.url, "/tokenize", { prompt: "to and fro" })).json();
  expect((await ask(vllm.url, "/detokenize", { tokens })).json().prompt).toBe("to and fro");
});

test("embeddings and ranks depend on the texts alone", async () => {
  const embed = async (input: string[]) =>
    (await ask(vllm.url, "/v1/embeddings", { input })).json().data;
  const [first, second] = await embed(["a", "b"]);
  expect((await embed(["b"]))[0].embedding).toEqual(second.embedding);
  expect(first.embedding).not.toEqual(second.embedding);
  const ranked = (
    await ask(vllm.url, "/v1/rerank", { query: "q", documents: ["a", "b", "c"] })
  ).json();
  expect(ranked.results).toHaveLength(3);
});
