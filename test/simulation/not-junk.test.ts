/** What engines rightly respond with, however odd it looks: junk would be charged to a healthy engine. */
import { expect, test } from "vitest";
import { firstEventBytesMax } from "../../src/limits.ts";
import { chunk, chunkedHead, type Script } from "./engine.ts";
import { World } from "./world.ts";

interface Case {
  readonly path?: string;
  /** Of the request, beside the prompt. */
  readonly asks?: object;
  /** Undefined = the response has none. */
  readonly type?: string | undefined;
  /** Each is sent a millisecond after the one before. */
  readonly says: readonly string[];
}

const chat = "/v1/chat/completions";
const stream = { stream: true };
const json = "application/json";
const events = "text/event-stream; charset=utf-8";
const choice = '{"choices":[{"text":"a"}]}';
const event = `data: ${choice}\n\n`;
const done = "data: [DONE]\n\n";
const streamed = { asks: stream, type: events };
const toolCall =
  '{"choices":[{"message":{"content":null,"tool_calls":[{"id":"c"}]},"finish_reason":"tool_calls"}]}';
const numbers = '{"choices":[{"text":"a","logprobs":{"token_logprobs":[NaN,-Infinity]}}]}';
const response = '{"id":"r","object":"response","status":"queued","error":null,"output":[]}';
const failed =
  '{"object":"response","status":"failed","error":{"code":"server_error"},"output":[]}';

const cases: Record<string, Case> = {
  "a call of a tool": { path: chat, says: [toolCall] },
  "a refusal": { path: chat, says: ['{"choices":[{"message":{"content":null,"refusal":"no"}}]}'] },
  "an error that is null": { says: ['{"error":null,"choices":[{"text":""}]}'] },
  "several choices": { asks: { n: 2 }, says: ['{"choices":[{"index":0},{"index":1}]}'] },
  "numbers that only Python writes": { says: [numbers] },
  "white space around": { says: [`\n ${choice}\n`] },
  "a charset": { type: "application/json;charset=utf-8", says: [choice] },
  "a type of text": { type: "text/plain", says: [choice] },
  "no type": { type: undefined, says: [choice] },
  "JSON in pieces": { says: [choice.slice(0, 9), choice.slice(9)] },
  "a batch of SGLang": { path: "/generate", says: ['[{"text":"a"},{"text":"b"}]'] },
  "a message": { path: "/v1/messages", says: ['{"type":"message","content":[]}'] },
  "a stored response": { path: "/v1/responses", says: [response] },
  "a stored response that failed": { path: "/v1/responses", says: [failed] },
  "one in the background, though a stream was asked for": {
    path: "/v1/responses",
    asks: { stream: true, background: true },
    says: [response],
  },
  "tokens of a vLLM that does not stream them": {
    path: "/inference/v1/generate",
    asks: stream,
    says: ['{"request_id":"a","choices":[{"index":0,"token_ids":[1]}]}'],
  },
  "embeddings at SageMaker's path": {
    path: "/invocations",
    asks: { input: "a" },
    says: ['{"object":"list","data":[{"embedding":[0.1]}]}'],
  },
  embeddings: { path: "/v1/embeddings", says: ['{"object":"list","data":[]}'] },
  "bytes of embeddings": { path: "/v1/embeddings", type: "application/octet-stream", says: ["x"] },
  "what was said in a sound": { path: "/v1/audio/transcriptions", type: "text/plain", says: ["a"] },
  speech: { path: "/v1/audio/speech", type: "audio/wav", says: ["RIFF"] },
  "no entity": { path: "/v1/rerank", says: ["[]"] },
  tokens: { path: "/tokenize", says: ['{"count":0,"tokens":[]}'] },
  "a stream where the request says so by a number": {
    ...streamed,
    asks: { stream: 1 },
    says: [event, done],
  },
  "a stream where the request says so by a text": {
    ...streamed,
    asks: { stream: "true" },
    says: [event, done],
  },
  "a stream that begins with a role": {
    ...streamed,
    path: chat,
    says: ['data: {"choices":[{"delta":{"role":"assistant"}}]}\n\n', done],
  },
  "a stream that begins with a filter's results": {
    ...streamed,
    path: chat,
    says: ['data: {"choices":[],"prompt_filter_results":[]}\n\n', event, done],
  },
  "a stream that begins with comments": { ...streamed, says: [": a\n\n", ": b\n\n", event, done] },
  "a stream that begins with when to come again": {
    ...streamed,
    says: ["retry: 3000\n\n", event, done],
  },
  "a stream that begins with a ping": {
    ...streamed,
    path: "/v1/messages",
    says: ['event: ping\ndata: {"type":"ping"}\n\n', 'data: {"type":"message_stop"}\n\n'],
  },
  "a stream whose lines end with a return as well": {
    ...streamed,
    says: [event.replaceAll("\n", "\r\n"), done.replaceAll("\n", "\r\n")],
  },
  "a stream whose error is null": {
    ...streamed,
    says: ['data: {"error":null,"choices":[{"text":"a"}]}\n\n', done],
  },
  "a stream whose error is null, behind a space": {
    ...streamed,
    says: ['data: {"error": null, "choices": [{"text":"a"}]}\n\n', done],
  },
  "a stream of an event in pieces": {
    ...streamed,
    says: [event.slice(0, 3), event.slice(3, 20), event.slice(20), done],
  },
  "a stream that is an error of the client's": {
    ...streamed,
    says: ['data: {"error":{"code":400,"message":"m"}}\n\n', done],
  },
  "a stream of no type": { asks: stream, type: undefined, says: [event, done] },
  "a stream of another type": { asks: stream, type: "text/plain", says: [event, done] },
  "lines of JSON": {
    path: "/generate",
    asks: stream,
    type: undefined,
    says: ['{"text":["a"]}\n', '{"text":["ab"]}\n'],
  },
};

test.each(Object.entries(cases))("%s", (_, { path = "/v1/completions", asks, says, ...rest }) => {
  const type = "type" in rest ? rest.type : json;
  const script: Script = (_request, { send, after }) => {
    const line = type === undefined ? "" : `Content-Type: ${type}\r\n`;
    send(`HTTP/1.1 200 OK\r\n${line}Transfer-Encoding: chunked\r\n\r\n`);
    for (const [i, text] of [...says, undefined].entries())
      after(i + 1, () => send(text === undefined ? "0\r\n\r\n" : chunk(text)));
  };
  const world = new World({
    server: { routes: [{ match: { path: "/" }, target: { pool: "decode" } }] },
  });
  for (const engine of world.decode) {
    engine.script = script;
    engine.checksTransfer = false;
  }
  const body = JSON.stringify({ prompt: "odd", ...asks });
  const client = world.client();
  const head = `POST ${path} HTTP/1.1\r\nHost: p\r\nContent-Type: application/json\r\n`;
  client.send(`${head}Content-Length: ${body.length}\r\n\r\n${body}`);
  expect(world.responseTo(client).body.toString()).toBe(says.join(""));
  expect(world.decode[1]!.requests).toEqual([]);
  world.expectNothingLeft();
});

test("a stream of events that carry nothing is held back up to a bound", () => {
  const world = new World();
  const nothing = "data: {}\n\n".repeat(1_000);
  world.decode[0]!.script = (_, { send, after }) => {
    send(chunkedHead);
    for (let i = 1; i < 10; i += 1) after(i, () => send(chunk(nothing)));
  };
  const client = world.ask({ prompt: "odd", stream: true });
  world.runUntil(() => client.receivedText.includes("data: {}"), 1_000);
  expect(client.receivedText.length).toBeGreaterThanOrEqual(firstEventBytesMax);
  client.socket.destroy();
  world.expectNothingLeft();
});
