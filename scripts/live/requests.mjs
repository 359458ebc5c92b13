/** Requests of every kind that engines serve, each with a prompt of its own, so that none is cached for another. */
import { modelName } from "./fleet.mjs";

const words =
  "prefill decode engine cache queue token router stream worker batch block layer request".split(
    " ",
  );
let prompts = 0;
function text(count = 40) {
  prompts += 1;
  const some = Array.from({ length: count }, (_, i) => words[(prompts * 7 + i * i) % words.length]);
  return `Question ${prompts}: ${some.join(" ")}`;
}

/** The template puts tools before the messages: each has a description of its own, so that none is cached. */
const weather = () => ({
  type: "function",
  function: {
    name: "get_weather",
    description: text(12),
    parameters: {
      type: "object",
      properties: { city: { type: "string", maxLength: 8 }, days: { enum: [1, 2] } },
      required: ["city", "days"],
      additionalProperties: false,
    },
  },
});
const schema = {
  type: "object",
  properties: { name: { type: "string", maxLength: 8 }, count: { enum: [1, 2, 3] } },
  required: ["name", "count"],
  additionalProperties: false,
};
const jsonSchema = { type: "json_schema", json_schema: { name: "thing", schema, strict: true } };
const user = (content) => ({ role: "user", content });

/** What completions and chats have in common. */
const shared = {
  plain: {},
  "one token": { max_tokens: 1 },
  "two tokens": { max_tokens: 2 },
  "no limit": { max_tokens: undefined, ignore_eos: false, stop: [" the", " e", "a"] },
  seeded: { temperature: 0.8, seed: 7 },
  "top_p and top_k": { temperature: 0.7, top_p: 0.5, top_k: 3, seed: 11 },
  stop: { stop: "e", max_tokens: 40 },
  "stop list, kept": { stop: ["a", "o"], include_stop_str_in_output: true, max_tokens: 40 },
  "stop token": { stop_token_ids: [300, 301, 302, 303, 304, 305], max_tokens: 40 },
  "min tokens": { min_tokens: 6, max_tokens: 12 },
  "ignore eos": { ignore_eos: true, max_tokens: 20 },
  "n 2": { n: 2, temperature: 0.6, seed: 3 },
  penalties: { presence_penalty: 0.5, frequency_penalty: 0.3, repetition_penalty: 1.1 },
  "logit bias": { logit_bias: { 400: 5, 401: -100 } },
  "bad words": { bad_words: ["the"] },
  "token ids": { return_token_ids: true },
  "prompt logprobs": { prompt_logprobs: 1 },
  "special tokens shown": { skip_special_tokens: false },
  "truncated prompt": { truncate_prompt_tokens: 20 },
  "request id": { request_id: "mine" },
  "cache salt": { cache_salt: "pepper" },
  "user and unknown member": { user: "u1", some_unknown_member: 1 },
  "choices by structured output": { structured_outputs: { choice: ["yes", "no"] } },
  "regex by structured output": { structured_outputs: { regex: "[a-c]{3}" } },
  "json by structured output": { structured_outputs: { json: schema }, max_tokens: 60 },
};
const streams = {
  usage: { stream_options: { include_usage: true } },
  "usage in each event": { stream_options: { include_usage: true, continuous_usage_stats: true } },
};
const completions = {
  "logprobs 0": { logprobs: 0 },
  "logprobs 3": { logprobs: 3 },
  echo: { echo: true },
  "echo and logprobs": { echo: true, logprobs: 1 },
  "echo, logprobs, no token": { echo: true, logprobs: 1, max_tokens: 0 },
  "echo, one token": { echo: true, max_tokens: 1 },
  "two prompts": { prompt: [text(), text()] },
  "prompt ids": { prompt: Array.from({ length: 30 }, (_, i) => 300 + i) },
  "two prompts of ids": {
    prompt: [
      [310, 320, 330, 340],
      [410, 420],
    ],
  },
  suffix: { suffix: " end" },
  "best of": { best_of: 1 },
  "response format": { response_format: jsonSchema, max_tokens: 60 },
};
const chats = {
  logprobs: { logprobs: true },
  "top logprobs": { logprobs: true, top_logprobs: 3 },
  "system and turns": {
    messages: [
      { role: "system", content: text(20) },
      user(text(9)),
      { role: "assistant", content: "yes" },
      user("go on"),
    ],
  },
  "content parts": {
    messages: [
      user([
        { type: "text", text: text() },
        { type: "text", text: " and on" },
      ]),
    ],
  },
  "max completion tokens": { max_tokens: undefined, max_completion_tokens: 5 },
  "continued message": {
    messages: [user(text()), { role: "assistant", content: "I begin" }],
    add_generation_prompt: false,
    continue_final_message: true,
  },
  "echoed message": { echo: true, messages: [user(text()), { role: "assistant", content: "so" }] },
  "tools, auto": { tools: [weather()] },
  "tools, none": { tools: [weather()], tool_choice: "none" },
  "tools, required": { tools: [weather()], tool_choice: "required", max_tokens: 80 },
  "tools, named": {
    tools: [weather()],
    tool_choice: { type: "function", function: { name: "get_weather" } },
    max_tokens: 80,
  },
  "json object": { response_format: { type: "json_object" }, max_tokens: 30 },
  "json schema": { response_format: jsonSchema, max_tokens: 60 },
  "tool results": {
    tools: [weather()],
    messages: [
      user(text()),
      {
        role: "assistant",
        content: "",
        tool_calls: [
          { id: "c1", type: "function", function: { name: "get_weather", arguments: "{}" } },
        ],
      },
      { role: "tool", tool_call_id: "c1", content: "rain" },
    ],
  },
};
const responses = {
  plain: {},
  instructions: { instructions: text(12) },
  items: { input: [{ role: "user", content: [{ type: "input_text", text: text() }] }] },
  "one token": { max_output_tokens: 1 },
  metadata: { metadata: { a: "b" }, store: false },
  "json schema": {
    text: { format: { type: "json_schema", name: "thing", schema } },
    max_output_tokens: 60,
  },
};
const messages = {
  plain: {},
  system: { system: text(10) },
  "stop sequences": { stop_sequences: ["e"], max_tokens: 40 },
  "one token": { max_tokens: 1 },
  parts: { messages: [user([{ type: "text", text: text() }])] },
};

function* twice(name, path, body, extra) {
  yield { name, path, body: { ...body(), ...fresh(extra) } };
  yield { name: `${name}, streamed`, path, body: { ...body(), stream: true, ...fresh(extra) } };
}

/** With a text of its own in place of each that is there. */
function fresh(value) {
  if (typeof value === "string")
    return value.startsWith("Question ") ? text(value.split(" ").length - 2) : value;
  if (Array.isArray(value)) return value.map(fresh);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, fresh(inner)]));
}

function* generated() {
  const common = { model: modelName, temperature: 0 };
  const completion = () => ({ ...common, prompt: text(), max_tokens: 10 });
  const chat = () => ({ ...common, messages: [user(text())], max_tokens: 10 });
  const response = () => ({ ...common, input: text(), max_output_tokens: 10 });
  const message = () => ({ ...common, messages: [user(text())], max_tokens: 10 });
  const kinds = [
    ["/v1/completions", completion, { ...shared, ...completions }],
    ["/v1/chat/completions", chat, { ...shared, ...chats }],
    ["/v1/responses", response, responses],
    ["/v1/messages", message, messages],
  ];
  for (const [path, body, all] of kinds)
    for (const [name, extra] of Object.entries(all)) yield* twice(name, path, body, extra);
  for (const [name, extra] of Object.entries(streams)) {
    yield { name, path: "/v1/completions", body: { ...completion(), stream: true, ...extra } };
    yield { name, path: "/v1/chat/completions", body: { ...chat(), stream: true, ...extra } };
  }
}

function* others() {
  for (const path of [
    "/v1/models",
    "/version",
    "/health",
    "/ping",
    "/v1/nothing",
    "/v1/chat/completions",
  ])
    yield { name: "GET", path, method: "GET" };
  yield {
    name: "trailing slash",
    path: "/v1/chat/completions/",
    body: { model: modelName, messages: [user(text())] },
  };
  yield { name: "text", path: "/tokenize", body: { model: modelName, prompt: text() } };
  yield { name: "chat", path: "/tokenize", body: { model: modelName, messages: [user(text())] } };
  yield { name: "ids", path: "/detokenize", body: { model: modelName, tokens: [300, 400, 500] } };
  yield { name: "not served", path: "/v1/embeddings", body: { model: modelName, input: text() } };
  yield {
    name: "not served",
    path: "/v1/rerank",
    body: { model: modelName, query: "a", documents: ["b"] },
  };
  yield {
    name: "count",
    path: "/v1/messages/count_tokens",
    body: { model: modelName, messages: [user(text())] },
  };
}

/** Requests that engines reject: the same status and the same words. */
function* rejected() {
  const common = { model: modelName, temperature: 0, max_tokens: 4 };
  const completion = (extra) => ({ ...common, prompt: text(), ...extra });
  const chat = (extra) => ({ ...common, messages: [user(text())], ...extra });
  const bad = {
    "another model": { model: "none-such" },
    "no token": { max_tokens: 0 },
    "negative limit": { max_tokens: -1 },
    "min above max": { min_tokens: 9 },
    "limit above the length": { max_tokens: 100_000 },
    "temperature as text": { temperature: "warm" },
    "temperature below 0": { temperature: -1 },
    "top_p above 1": { top_p: 2 },
    "n 0": { n: 0 },
    "n as text": { n: "two" },
    "regex that is none": { structured_outputs: { regex: "[" } },
    "usage without a stream": { stream_options: { include_usage: true } },
    "too many logprobs": { logprobs: 1_000, top_logprobs: 1_000 },
  };
  for (const [name, extra] of Object.entries(bad)) {
    yield { name, path: "/v1/completions", body: completion(extra) };
    yield { name, path: "/v1/chat/completions", body: chat(extra) };
    yield {
      name: `${name}, streamed`,
      path: "/v1/chat/completions",
      body: chat({ stream: true, ...extra }),
    };
  }
  const path = "/v1/chat/completions";
  yield { name: "too long", path, body: chat({ messages: [user(text(2_500))] }) };
  yield { name: "too long", path: "/v1/completions", body: completion({ prompt: text(2_500) }) };
  yield { name: "no messages", path, body: { model: modelName } };
  yield { name: "empty messages", path, body: chat({ messages: [] }) };
  yield { name: "messages as text", path, body: chat({ messages: "hello" }) };
  yield { name: "no prompt", path: "/v1/completions", body: { model: modelName } };
  yield { name: "prompt as number", path: "/v1/completions", body: completion({ prompt: 7 }) };
  yield { name: "required without tools", path, body: chat({ tool_choice: "required" }) };
  yield {
    name: "tool that is none",
    path,
    body: chat({ tools: [weather()], tool_choice: { type: "function", function: { name: "x" } } }),
  };
  yield { name: "no JSON", path, raw: "{" };
  yield { name: "no body", path, raw: "" };
  yield { name: "an array", path, raw: "[]" };
  yield { name: "another type", path, raw: "a=b", type: "application/x-www-form-urlencoded" };
  yield { name: "no input", path: "/v1/responses", body: { model: modelName } };
  yield {
    name: "negative limit",
    path: "/v1/responses",
    body: { model: modelName, input: text(), max_output_tokens: -1 },
  };
  yield {
    name: "no limit",
    path: "/v1/messages",
    body: { model: modelName, messages: [user(text())] },
  };
}

/** Each as `{ name, path, method, body | raw, type }`. */
export const requests = [...generated(), ...others(), ...rejected()];
