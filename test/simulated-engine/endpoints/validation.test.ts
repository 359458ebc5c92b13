/** Bad requests at the newer endpoints: taken as good, or refused in words that a client of that API does not read. */
import { afterAll, describe, expect, it } from "vitest";
import { instantTiming } from "../../../src/simulated-engine/options.ts";
import { startEngine } from "../../../src/simulated-engine/server.ts";
import { post, setFault } from "../http.ts";

const options = { role: "mixed", maxModelLen: 1_000, ...instantTiming } as const;
const vllm = await startEngine(options);
const sglang = await startEngine({ ...options, dialect: "sglang" });
afterAll(() => Promise.all([vllm.close(), sglang.close()]));

const messages = [{ role: "user", content: "hello" }];
const message = expect.any(String);

/** Where each of them is good but for the changes, and what its errors are. */
const good = {
  "/v1/responses": { input: "hello", max_output_tokens: 3 },
  "/v1/messages": { model: "simulated", messages, max_tokens: 3 },
  "/v1/messages/count_tokens": { model: "simulated", messages },
  "/inference/v1/generate": { token_ids: [1, 2], sampling_params: { max_tokens: 3 } },
  "/generate": { text: "hello", sampling_params: { max_new_tokens: 3 } },
} as const;
type Path = keyof typeof good;

const urlOf = (path: Path) => (path === "/generate" ? sglang.url : vllm.url);
const anthropic = (type: string) => ({ type: "error", error: { type, message } });
const openai = (type: string, code: number) => ({ error: { message, type, code } });

function shapeOf(path: Path, type: string, code: number): object {
  if (path.startsWith("/v1/messages")) return anthropic(type);
  return path === "/generate" ? { error: { message } } : openai(type, code);
}

const paths = Object.keys(good) as Path[];

it.each(paths)("%s accepts what is right", async (path) => {
  expect((await post(urlOf(path), path, good[path])).status).toBe(200);
});

const wrong: readonly [Path, string, object][] = [
  ["/v1/responses", "there is no input", { input: undefined }],
  ["/v1/responses", "the input is a number", { input: 5 }],
  ["/v1/responses", "the input's items are texts", { input: ["hello"] }],
  ["/v1/responses", "max_output_tokens is 0", { max_output_tokens: 0 }],
  ["/v1/responses", "max_output_tokens is text", { max_output_tokens: "3" }],
  ["/v1/responses", "the answer does not fit the context", { max_output_tokens: 1_001 }],
  ["/v1/responses", "stream is text", { stream: "yes" }],
  ["/v1/responses", "store is a number", { store: 1 }],
  ["/v1/responses", "kv_transfer_params is a list", { kv_transfer_params: [] }],
  ["/v1/messages", "there is no max_tokens", { max_tokens: undefined }],
  ["/v1/messages", "max_tokens is 0", { max_tokens: 0 }],
  ["/v1/messages", "there is no model", { model: undefined }],
  ["/v1/messages", "there are no messages", { messages: [] }],
  ["/v1/messages", "a role is unknown", { messages: [{ role: "tool", content: "a" }] }],
  ["/v1/messages", "a block has no type", { messages: [{ role: "user", content: [{}] }] }],
  ["/v1/messages", "stop_sequences is a text", { stop_sequences: "a" }],
  ["/v1/messages", "kv_transfer_params is a text", { kv_transfer_params: "x" }],
  ["/v1/messages/count_tokens", "there is no model", { model: undefined }],
  ["/inference/v1/generate", "there are no ids", { token_ids: [] }],
  ["/inference/v1/generate", "an id is below 0", { token_ids: [-1] }],
  ["/inference/v1/generate", "ids are a text", { token_ids: "hello" }],
  ["/inference/v1/generate", "there are no sampling_params", { sampling_params: undefined }],
  ["/inference/v1/generate", "max_tokens is 0", { sampling_params: { max_tokens: 0 } }],
  [
    "/inference/v1/generate",
    "min_tokens is above max_tokens",
    { sampling_params: { max_tokens: 1, min_tokens: 2 } },
  ],
  [
    "/inference/v1/generate",
    "stream_options come without stream",
    { stream_options: { include_usage: true } },
  ],
  ["/generate", "there is no prompt", { text: undefined }],
  ["/generate", "the prompt is a number", { text: 5 }],
  ["/generate", "max_new_tokens is text", { sampling_params: { max_new_tokens: "3" } }],
  ["/generate", "params are not one for each prompt", { sampling_params: [{}, {}] }],
  ["/generate", "n differs", { text: ["a", "b"], sampling_params: [{ n: 1 }, { n: 2 }] }],
  ["/generate", "ids are not one for each prompt", { text: ["a", "b"], rid: ["a"] }],
];

describe("a request is refused when", () => {
  it.each(wrong)("at %s %s", async (path, _why, changes) => {
    const response = await post(urlOf(path), path, { ...good[path], ...changes });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject(shapeOf(path, "BadRequestError", 400));
  });

  it.each(paths)("at %s the body is no JSON", async (path) => {
    const response = await post(urlOf(path), path, "{");
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject(shapeOf(path, "BadRequestError", 400));
  });

  it.each(paths.filter((path) => path !== "/generate"))(
    "at %s there is no such model",
    async (path) => {
      const response = await post(urlOf(path), path, { ...good[path], model: "other" });
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject(shapeOf(path, "NotFoundError", 404));
    },
  );
});

const generating = paths.filter((path) => path !== "/v1/messages/count_tokens");

describe("a fault is reported in the endpoint's words", () => {
  it.each(generating)("at %s instead of a response", async (path) => {
    await setFault(urlOf(path), { kind: "status", code: 503, times: 1 });
    const response = await post(urlOf(path), path, good[path]);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject(shapeOf(path, "InternalServerError", 503));
  });

  it.each([
    ["/v1/responses", /^event: error\ndata: \{"type":"error","sequence_number":\d+,"code":"500"/m],
    ["/v1/messages", /^event: error\ndata: \{"type":"error","error":\{"type":"Internal/m],
    ["/inference/v1/generate", /^data: \{"error":\{"message":"EngineCore/m],
    ["/generate", /^data: \{"error":\{"message":"EngineCore[^"]*"\}\}/m],
  ] as const)("at %s in the middle of a stream", async (path, words) => {
    await setFault(urlOf(path), { kind: "error-after-chunks", chunks: 2, times: 1 });
    const response = await post(urlOf(path), path, { ...good[path], stream: true });
    expect(await response.text()).toMatch(words);
  });
});
