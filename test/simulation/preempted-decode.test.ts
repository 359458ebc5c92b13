/**
 * A decode engine that gives a request up in the middle of its response (`stop_reason: "recomputed"`): the client gets
 * one response, the one that a single engine would have given, or is told.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Dialect } from "../../src/dialects/dialect.ts";
import { dialects } from "../../src/dialects/registry.ts";
import { continued } from "../../src/dialects/shared/continued/continued.ts";
import { vllmResponses } from "../../src/dialects/vllm/responses.ts";
import { omni } from "../../src/dialects/vllm-ascend/omni.ts";
import { codeOf } from "./client.ts";
import { chunk, chunkedHead, response, type Script } from "./engine.ts";
import { type Asked, cached, done, parts, promptTokens, words } from "./greedy-engine.ts";
import { World } from "./world.ts";

const registry = dialects as Map<string, Dialect>;
/** The KV transfer is omni's, the responses are those of an engine that gives up. */
beforeAll(() => void registry.set("omni", { ...omni, merge: continued(vllmResponses, false) }));
/** Other files of the same process have the registry, too. */
afterAll(() => void registry.set("omni", omni));

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
  ["a penalty on what was generated", { prompt, presence_penalty: 0.5 }],
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
