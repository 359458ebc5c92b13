/**
 * Both engines get the request at once, and the prefill's response comes late: decode's tokens do not wait for it. Only
 * what the prefill alone knows does, and a client that has got nothing yet may still get another attempt.
 */
import { describe, expect, test } from "vitest";
import { decodeErrorGraceMs } from "../../src/limits.ts";
import { codeOf } from "./client.ts";
import { chunk, chunkedHead, type Engine, response, type Script } from "./engine.ts";
import { World, type WorldOptions } from "./world.ts";

const prefillMs = 500;
const event = (text: string) => `data: {"choices":[{"index":0,"text":"${text}"}]}\n\n`;
const usage = (cached: string) =>
  `"usage":{"prompt_tokens":9,"completion_tokens":2,"prompt_tokens_details":${cached}}`;
const usageEvent = (cached: string) => `data: {"choices":[],${usage(cached)}}\n\n`;
const done = "data: [DONE]\n\n";
const prefillBody = `{"choices":[],${usage('{"cached_tokens":3}')}}`;
const attributes = { engine_id: "e", ctx_info_endpoint: "tcp://c:1" };

const late =
  (body: string | Buffer, status?: string, delayMs = prefillMs): Script =>
  (_, { send, after }) =>
    after(delayMs, () => send(response(body, status)));

/** Ten ms apart, without an end if the last one is not `done`. */
const streams =
  (...events: readonly string[]): Script =>
  (_, { send, after }) => {
    send(chunkedHead);
    events.forEach((text, i) => {
      after(10 * (i + 1), () => send(chunk(text) + (text === done ? "0\r\n\r\n" : "")));
    });
  };

function worldOf(
  dialect: "sglang" | "vllm-mooncake" | "moriio-write" | "trtllm-gen-first",
  options: WorldOptions = {},
) {
  const route = { dialect, ...options.route };
  const world = new World({ engine: { attributes }, ...options, route });
  for (const engine of world.engines) engine.checksTransfer = false;
  for (const engine of world.prefill) engine.script = late(prefillBody);
  return world;
}

function ask(world: World, more: object = {}, path = "/v1/completions") {
  const body = JSON.stringify({ prompt: "P", ...more });
  const client = world.client();
  client.send(
    `POST ${path} HTTP/1.1\r\nHost: proxy\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${body.length}\r\n\r\n${body}`,
  );
  return client;
}

const all = (engines: readonly Engine[], script: Script) => {
  for (const engine of engines) engine.script = script;
};
const stream = { stream: true };

describe.each(["sglang", "vllm-mooncake", "moriio-write", "trtllm-gen-first"] as const)(
  "%s",
  (dialect) => {
    test("tokens come at once, and a stream that needs nothing of the prefill ends without it", () => {
      const world = worldOf(dialect);
      all(world.decode, streams(event("a"), event("b"), done));
      const client = ask(world, stream);
      world.runUntil(() => client.partialBody === event("a"), 40);
      expect(world.responseTo(client, 60).body.toString()).toBe(event("a") + event("b") + done);
      world.expectNothingLeft();
    });

    test("the usage at the end waits for what the prefill knows, and only that", () => {
      const world = worldOf(dialect);
      all(world.decode, streams(event("a"), usageEvent('{"cached_tokens":8}'), done));
      const client = ask(world, stream);
      world.runFor(prefillMs - 50);
      expect(client.partialBody).toBe(event("a"));
      const expected = event("a") + usageEvent('{"cached_tokens":3}') + done;
      expect(world.responseTo(client, 100).body.toString()).toBe(expected);
      world.expectNothingLeft();
    });

    test("in one piece it waits only if it is to be changed", () => {
      for (const [details, waits] of [
        ["null", false],
        ['{"cached_tokens":8}', true],
      ] as const) {
        const world = worldOf(dialect);
        all(world.decode, late(`{"choices":[],${usage(details)}}`, "200 OK", 10));
        const client = ask(world);
        world.runFor(prefillMs - 50);
        expect(client.answers).toHaveLength(waits ? 0 : 1);
        const body = waits ? prefillBody : `{"choices":[],${usage("null")}}`;
        if (waits) world.responseTo(client, 100);
        expect(client.answers[0]!.body.toString()).toBe(body);
        world.expectNothingLeft();
      }
    });

    test("a prefill that fails behind decode's first token takes nothing back", () => {
      const world = worldOf(dialect);
      all(world.prefill, (_, { socket, after }) => after(60, () => socket.cut("rst")));
      const texts = Array.from({ length: 9 }, (_, i) => event(`${i}`));
      all(world.decode, streams(...texts, usageEvent('{"cached_tokens":8}'), done));
      const { body } = world.responseTo(ask(world, stream), 300);
      // What only the prefill knew is unknown.
      expect(body.toString()).toBe(texts.join("") + usageEvent("null") + done);
      world.expectNothingLeft();
    });

    test("decode's error waits for the prefill, whose failure leads to another attempt", () => {
      const world = worldOf(dialect);
      const isFirst = (engines: readonly Engine[]) =>
        engines.flatMap(({ requests }) => requests).length === 1;
      all(world.prefill, (request, connection) => {
        if (isFirst(world.prefill)) connection.after(60, () => connection.socket.cut("rst"));
        else late(prefillBody, "200 OK", 10)(request, connection);
      });
      const error = 'data: {"error":{"message":"no KV cache"}}\n\n';
      all(world.decode, (request, connection) => {
        const events = isFirst(world.decode) ? [error, done] : [event("a"), done];
        streams(...events)(request, connection);
      });
      expect(world.responseTo(ask(world, stream)).body.toString()).toBe(event("a") + done);
      world.expectNothingLeft();
    });

    test("but not for one that waits for decode itself", () => {
      const error = 'data: {"error":{"message":"no KV cache"}}\n\n';
      for (const decode of [1, 2]) {
        const world = worldOf(dialect, { decode, route: { readTimeoutMs: 60_000 } });
        all(world.prefill, () => {});
        all(world.decode, streams(error, done));
        const client = ask(world, stream);
        const { body } = world.responseTo(client, decode * (decodeErrorGraceMs + 300));
        expect(body.toString()).toBe(error + done);
        world.expectNothingLeft();
      }
    });
  },
);

test("a decode that dies for want of its KV cache breaks off visibly", () => {
  const world = worldOf("sglang");
  all(world.prefill, (_, { socket, after }) => after(60, () => socket.cut("rst")));
  all(world.decode, (_, { send, after, socket }) => {
    send(chunkedHead + chunk(event("a")));
    after(100, () => socket.cut("rst"));
  });
  const client = ask(world, stream);
  world.runUntil(() => client.ended !== undefined, 300);
  expect(client.answers).toEqual([]);
  expect(client.partialBody).toBe(event("a"));
  world.expectNothingLeft();
});

describe("log-probabilities of the prompt stand in the first event, so the whole stream waits", () => {
  const meta = (list: string) =>
    `data: {"text":"a","meta_info":{"finish_reason":null,"input_token_logprobs":${list}}}\n\n`;
  const asked = { text: "P", stream: true, return_logprob: true };
  const prefilled = '{"meta_info":{"input_token_logprobs":[[-1,5,null]]}}';
  const routes = [
    {
      match: { path: "/generate" },
      target: { pool: "decode" },
      prefill: { pool: "prefill" },
      dialect: "sglang",
    },
  ] as const;

  test.each([true, false])("and another prefill can be tried (%s)", (mayRetry) => {
    const world = new World({
      routes: routes.map((one) => (mayRetry ? one : { ...one, retry: { on: ["off"] } })),
    });
    for (const engine of world.engines) engine.checksTransfer = false;
    const tries = () => world.prefill.flatMap(({ requests }) => requests).length;
    all(world.prefill, (request, connection) => {
      if (tries() > 1) late(prefilled, "200 OK", 50)(request, connection);
      else connection.after(60, () => connection.socket.cut("rst"));
    });
    all(world.decode, streams(meta("[[-2,6,null]]"), done));
    const client = ask(world, asked, "/generate");
    world.runFor(40);
    expect(client.receivedText).toBe("");
    const answer = world.responseTo(client);
    if (mayRetry) {
      expect(answer.body.toString()).toBe(meta("[[-1,5,null],[-2,6,null]]") + done);
    } else expect(codeOf(answer)).toBe("GP_PREFILL_FAILED");
    world.expectNothingLeft();
  });
});

test("tokens of SGLang's own endpoint do not wait for the count of cached tokens in each event", () => {
  const native = (text: string, reason: string, cached: number) =>
    `data: {"text":"${text}","meta_info":{"finish_reason":${reason},"cached_tokens":${cached}}}\n\n`;
  const route = {
    match: { path: "/generate" },
    prefill: { pool: "prefill" },
    target: { pool: "decode" },
  };
  const world = new World({ routes: [{ ...route, dialect: "sglang" }] });
  for (const engine of world.engines) engine.checksTransfer = false;
  all(world.prefill, late('{"meta_info":{"cached_tokens":3}}'));
  const last = '{"type":"stop"}';
  all(world.decode, streams(native("a", "null", 8), native("ab", last, 8), done));
  const client = ask(world, { text: "P", stream: true }, "/generate");
  world.runFor(prefillMs - 50);
  expect(client.partialBody).toBe(native("a", "null", 8));
  expect(world.responseTo(client, 100).body.toString()).toContain(native("ab", last, 3));
  world.expectNothingLeft();
});
