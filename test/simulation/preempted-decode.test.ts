/**
 * A decode engine that gives a request up in the middle of its response (`stop_reason: "recomputed"`): the client gets
 * one response, the one that a single engine would have given, or is told.
 */
import { describe, expect, test } from "vitest";
import type { Dialect } from "../../src/dialects/dialect.ts";
import { dialects } from "../../src/dialects/registry.ts";
import { continuedResponses } from "../../src/dialects/vllm-ascend/continued-response.ts";
import { omni } from "../../src/dialects/vllm-ascend/omni.ts";
import { codeOf } from "./client.ts";
import { chunk, chunkedHead, response, type Script } from "./engine.ts";
import { World } from "./world.ts";

// Of this file's modules alone: the KV transfer is omni's, the responses are those of an engine that gives up.
(dialects as Map<string, Dialect>).set("omni", { ...omni, merge: continuedResponses });

const words = ["Once", " upon", " a", ' \\"time\\"', " é", " \\n", " there", " was", " one", "."];
const promptTokens = 7;
const cached = '{"cached_tokens":3}';

interface Asked {
  readonly prompt?: string | number[];
  readonly messages?: readonly { readonly role: string; readonly content: string }[];
  readonly max_tokens?: number;
  readonly min_tokens?: number;
  readonly stream?: boolean;
  readonly stream_options?: object;
  readonly return_token_ids?: boolean;
  readonly [name: string]: unknown;
}

/** How many words of the response the request has in its prompt already. */
function done({ prompt, messages }: Asked): number {
  if (Array.isArray(prompt)) return prompt.filter((id) => id >= 1_000).length;
  const texts = words.map((_, i) => JSON.parse(`"${words.slice(0, i).join("")}"`) as string);
  const last = messages?.at(-1);
  const text = last?.role === "assistant" ? last.content : (prompt?.slice("P:".length) ?? "");
  return texts.lastIndexOf(text);
}

/** A response from word `from` on; `upTo` = where the engine gives up. */
function parts(asked: Asked, from: number, upTo: number, round: number, details: string) {
  const isChat = asked.messages !== undefined;
  const bound = Math.min(words.length, from + (asked.max_tokens ?? 1_000));
  const end = Math.min(bound, upTo);
  const start = `{"id":"x-1","created":${100 + round},"choices":[`;
  const usage = (to: number) =>
    `{"prompt_tokens":${promptTokens + from},"total_tokens":${promptTokens + to},"completion_tokens":${to - from},"prompt_tokens_details":${details}}`;
  const finish = (isLast: boolean) => {
    if (!isLast) return `"finish_reason":null,"stop_reason":null`;
    if (upTo < bound) return `"finish_reason":"stop","stop_reason":"recomputed"`;
    return `"finish_reason":"${bound < words.length ? "length" : "stop"}","stop_reason":null`;
  };
  const ids = (a: number, b: number) =>
    asked.return_token_ids
      ? `,"token_ids":[${words.slice(a, b).map((_, i) => 1_000 + a + i)}]`
      : "";
  const event = (choice: string) => `data: ${start}${choice}]}\n\n`;
  const text = (json: string) => (isChat ? `"delta":{"content":"${json}"}` : `"text":"${json}"`);
  const events = isChat
    ? [event(`{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}`)]
    : [];
  for (let i = from; i < end; i += 1) {
    const isLast = i === end - 1 && upTo >= bound;
    events.push(event(`{"index":0,${text(words[i]!)},${finish(isLast)}${ids(i, i + 1)}}`));
  }
  if (upTo < bound) events.push(event(`{"index":0,${text("")},${finish(true)}${ids(end, end)}}`));
  if (asked.stream_options) events.push(`data: ${start}],"usage":${usage(end)}}\n\n`);
  events.push("data: [DONE]\n\n");
  const all = words.slice(from, end).join("");
  const whole = isChat ? `"message":{"role":"assistant","content":"${all}"}` : `"text":"${all}"`;
  const json = `${start}{"index":0,${whole},${finish(true)}${ids(from, end)}}],"usage":${usage(end)}}`;
  return { events, json };
}

interface Run {
  /** Words that each decode makes before it gives up. */
  readonly givesUp: readonly number[];
  readonly readBytes?: number;
  readonly fails?: (round: number) => boolean;
}

function run(body: Asked, { givesUp, readBytes = 65_536, fails = () => false }: Run) {
  const path = body.messages === undefined ? "/v1/completions" : "/v1/chat/completions";
  const route = { match: { path }, prefill: { pool: "prefill" }, target: { pool: "decode" } };
  const world = new World({ decode: 1, routes: [route], readBytes: [1, readBytes] });
  const bodies: Asked[] = [];
  const prefill: Script = (request, connection) => {
    const asked = JSON.parse(request.body.toString()) as Asked & { prompt: string };
    const kv = connection.engine.kv.put(connection.engine.address, asked.prompt);
    const usage = `{"prompt_tokens":${promptTokens + done(asked)},"prompt_tokens_details":${cached}}`;
    connection.send(
      response(`{"choices":[],"usage":${usage},"kv_transfer_params":{"kv":"${kv}"}}`),
    );
  };
  for (const engine of world.prefill) engine.script = prefill;
  world.decode[0]!.script = (request, { send, socket }) => {
    const asked = JSON.parse(request.body.toString()) as Asked;
    const from = done(asked);
    const round = bodies.push(asked) - 1;
    if (fails(round)) socket.cut("rst");
    const made = givesUp[round];
    const upTo = made === undefined ? words.length : from + made;
    const { events, json } = parts(asked, from, upTo, round, '{"cached_tokens":99}');
    if (!asked.stream) send(response(json));
    else send(`${chunkedHead}${events.map(chunk).join("")}0\r\n\r\n`);
  };
  const client = world.client();
  const text = JSON.stringify(body);
  client.send(
    `POST ${path} HTTP/1.1\r\nHost: proxy\r\nX-Request-Id: r\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
  world.runUntil(() => client.answers.length > 0 || client.ended !== undefined, 5_000);
  const own = parts(body, 0, words.length, 0, cached);
  const expected = body.stream ? own.events.join("") : own.json;
  return { world, client, bodies, expected };
}

const prompt = "P:";
const messages = [{ role: "user", content: "P" }];
const usage = { stream: true, stream_options: { include_usage: true } };
const asks: readonly Asked[] = [
  { prompt, max_tokens: 30 },
  { prompt, max_tokens: 8, min_tokens: 6 },
  { prompt, max_tokens: 30, stream: true },
  { prompt, max_tokens: 8, ...usage },
  { prompt: [1, 2, 3], max_tokens: 8, return_token_ids: true },
  { prompt: [1, 2, 3], max_tokens: 8, return_token_ids: true, ...usage },
  { messages },
  { messages, max_tokens: 8, stream: true },
  { messages, max_tokens: 8, tools: [], ...usage },
];

describe.each(asks.map((body) => [JSON.stringify(body), body] as const))("%s", (_, body) => {
  test.each([
    ["once", [3]],
    ["at once", [0]],
    ["again and again", [1, 2, 0, 1, 1]],
  ])("given up %s, it is one answer as from one engine", (_name, givesUp) => {
    for (const readBytes of [1, 7, 65_536]) {
      const { world, client, bodies, expected } = run(body, { givesUp, readBytes });
      expect(client.answers[0]?.body.toString()).toBe(expected);
      expect(client.answers[0]!.status).toBe(200);
      expect(bodies).toHaveLength(givesUp.length + 1);
      const made = givesUp.reduce((sum, words) => sum + words, 0);
      const { max_tokens, min_tokens } = body;
      if (max_tokens !== undefined) expect(bodies.at(-1)!.max_tokens).toBe(max_tokens - made);
      if (min_tokens !== undefined)
        expect(bodies.at(-1)!.min_tokens).toBe(Math.max(0, min_tokens - made));
      world.runFor(100);
      world.expectNothingLeft();
    }
  });
});

test("a chat goes on in a last message of the assistant's, and its first message stays as it is", () => {
  const { bodies } = run({ messages, stream: true }, { givesUp: [4] });
  expect(bodies[1]).toMatchObject({
    messages: [...messages, { role: "assistant", content: 'Once upon a "time"' }],
    add_generation_prompt: false,
    continue_final_message: true,
  });
});

describe.each<[string, Asked]>([
  ["several answers", { prompt, n: 2 }],
  ["several prompts", { prompt: ["P:", "Q:"] as never }],
  ["ids that the engine does not tell", { prompt: [1, 2, 3] }],
  ["tools", { messages, tools: [{ type: "function" }] }],
  ["a grammar", { messages, response_format: { type: "json_object" } }],
  ["offsets in the text", { prompt, logprobs: 1 }],
  ["a message that is continued already", { messages, continue_final_message: true }],
])("with %s there is no request for the rest", (_, body) => {
  test("in one piece: an error, not half a response", () => {
    const { client, bodies } = run(body, { givesUp: [3] });
    expect(client.answers[0]!.status).toBe(502);
    expect(codeOf(client.answers[0]!)).toBe("GP_DECODE_GAVE_UP");
    expect(bodies).toHaveLength(1);
  });

  test("streamed: it breaks off, and has no end", () => {
    const { client, bodies, world } = run({ ...body, stream: true }, { givesUp: [3] });
    expect(client.answers).toEqual([]);
    expect(client.ended).toBeDefined();
    expect(client.partialBody).toContain(words[2]);
    expect(client.partialBody).not.toContain("recomputed");
    expect(client.partialBody).not.toContain("[DONE]");
    expect(bodies).toHaveLength(1);
    world.expectNothingLeft();
  });
});

test("a stream whose rest cannot be had breaks off; in one piece it is an error", () => {
  const fails = (round: number) => round > 0;
  const streamed = run({ prompt, stream: true }, { givesUp: [3], fails });
  expect(streamed.client.answers).toEqual([]);
  expect(streamed.client.partialBody).toContain(words[2]);
  const whole = run({ prompt }, { givesUp: [3], fails });
  expect(whole.client.answers[0]!.status).toBe(502);
});

test("an engine that always gives up is not asked for ever", () => {
  const { client, bodies } = run({ prompt, stream: true }, { givesUp: Array(100).fill(0) });
  expect(client.answers[0]!.status).toBe(502);
  expect(bodies).toHaveLength(17);
});
