/**
 * `resume`: a decode engine dies within its stream, at any byte and in any way. The client gets the stream that one
 * engine would have given, or a break that it can see.
 */
import { describe, expect, test } from "vitest";
import { chunk, chunkedHead, response, type Script } from "./engine.ts";
import { type Asked, cached, done, parts, promptTokens, words } from "./greedy-engine.ts";
import { timeouts, World } from "./world.ts";

type Death = "rst" | "fin" | "silence" | "close-framed" | "error-event";

interface Run {
  readonly dialect: "omni" | "vllm-mooncake" | "cache-threshold" | "sglang" | "plain";
  /** Bytes of each stream, one after the other, before its engine dies; those that follow live. */
  readonly diesAfter: readonly number[];
  readonly death?: Death;
  readonly resume?: boolean;
  readonly decode?: number;
  readonly readBytes?: number;
  /** The request for the rest, of which its engine has too little cached and wants a prefill. */
  readonly returnsRest?: boolean;
  /** Ids are reported if they are asked for. */
  readonly knowsIds?: boolean;
}

const closedHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
const serverError = 'data: {"error":{"message":"EngineCore died","code":500}}\n\ndata: [DONE]\n\n';

const returned =
  'data: {"id":"x-9","choices":[{"index":0,"text":"","finish_reason":"cache_threshold"}]}\n\n';

function dying(events: readonly string[], bytes: number, death: Death): Script {
  return (_, { send, after, socket }) => {
    if (death === "error-event") {
      const count = events.findIndex((_, i) => events.slice(0, i + 1).join("").length > bytes);
      send(
        `${chunkedHead + [...events.slice(0, count), serverError].map(chunk).join("")}0\r\n\r\n`,
      );
      return;
    }
    const isClosed = death === "close-framed";
    const body = isClosed ? events.join("") : events.map(chunk).join("");
    send((isClosed ? closedHead : chunkedHead) + body.slice(0, bytes));
    after(5, () => {
      if (isClosed) socket.end();
      else if (death !== "silence") socket.cut(death);
    });
  };
}

function run(body: Asked, options: Run) {
  const {
    dialect,
    diesAfter,
    death = "rst",
    resume = true,
    decode = 2,
    readBytes = 65_536,
  } = options;
  const path = body.messages === undefined ? "/v1/completions" : "/v1/chat/completions";
  const route = {
    match: { kind: "exact" as const, path },
    target: { pool: "decode" },
    ...(dialect !== "plain" && { prefill: { pool: "prefill" } }),
    dialect,
    resume,
    ...timeouts,
    accessLogs: [{ file: "log", format: "sim" }],
  };
  const attributes = { engine_id: "e" };
  const world = new World({
    decode,
    routes: [route],
    readBytes: [1, readBytes],
    engine: { attributes, maxFails: 0 },
  });
  for (const engine of world.engines) {
    engine.checksTransfer = false;
    // A request for one token may be for the rest of a stream.
    engine.takesReleases = false;
  }
  for (const engine of world.prefill) {
    engine.script = (request, { send }) => {
      const asked = JSON.parse(request.body.toString()) as Asked;
      const usage = `{"prompt_tokens":${promptTokens + done(asked)},"prompt_tokens_details":${cached}}`;
      send(response(`{"choices":[],"usage":${usage},"kv_transfer_params":{"kv":"1"}}`));
    };
  }
  const bodies: Asked[] = [];
  for (const engine of world.decode) {
    engine.script = (request, connection) => {
      const sent = JSON.parse(request.body.toString()) as Asked;
      if (tokensOf(sent) === 1 && tokensOf(body) - done(sent) !== 1) {
        // It only frees the KV cache of an attempt whose decode generated nothing.
        connection.send(`${chunkedHead}${chunk("data: [DONE]\n\n")}0\r\n\r\n`);
        return;
      }
      const { return_token_ids: _, ...others } = sent;
      const asked = options.knowsIds === false ? others : sent;
      const round = bodies.push(sent) - 1;
      const details = dialect === "plain" ? cached : '{"cached_tokens":99}';
      const { events } = parts(asked, done(asked), words.length, round, details);
      if (options.returnsRest === true && sent["cache_hit_threshold"] !== 0 && round > 0) {
        connection.send(chunkedHead + chunk(returned) + chunk("data: [DONE]\n\n") + chunk(""));
        return;
      }
      const bytes = diesAfter[round];
      if (bytes !== undefined) dying(events, bytes, death)(request, connection);
      else connection.send(`${chunkedHead + events.map(chunk).join("")}0\r\n\r\n`);
    };
  }
  const client = world.client();
  const text = JSON.stringify(body);
  client.send(
    `POST ${path} HTTP/1.1\r\nHost: proxy\r\nX-Request-Id: r\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
  world.runUntil(() => client.answers.length > 0 || client.ended !== undefined, 20_000);
  const expected = parts(body, 0, words.length, 0, cached).events.join("");
  return { world, client, bodies, expected };
}

const tokensOf = ({ max_completion_tokens, max_tokens }: Asked): number =>
  Number(max_completion_tokens ?? max_tokens);

const withoutTime = (body: string) => body.replaceAll(/"created":\d+/g, "");

/** One response, which nothing shows to be made of two. */
function expectWhole({ client, expected, world }: ReturnType<typeof run>, name: string): void {
  const body = client.answers[0]?.body.toString() ?? `broken: ${client.partialBody}`;
  expect(withoutTime(body), name).toBe(withoutTime(expected));
  expect(new Set(body.match(/"created":\d+/g)).size, name).toBe(1);
  expect(world.lines, name).toEqual([expect.stringContaining("200 GP_OK")]);
  world.runFor(100);
  world.expectNothingLeft();
}

const messages = [{ role: "user", content: "P" }];
const stream = { stream: true };
const usage = { ...stream, stream_options: { include_usage: true } };
const asks: readonly Asked[] = [
  { prompt: "P:", max_tokens: 30, ...stream },
  { prompt: "P:", max_tokens: 8, min_tokens: 6, ...usage },
  { prompt: [1, 2, 3], max_tokens: 8, return_token_ids: true, ...usage },
  { messages, max_tokens: 8, ...usage },
  { messages, max_completion_tokens: 30, tools: [], ...stream } as Asked,
];
const dialects = ["omni", "vllm-mooncake", "sglang", "plain"] as const;

describe.each(dialects)("%s", (dialect) => {
  test.each(asks.map((body) => [JSON.stringify(body), body] as const))("%s", (_, body) => {
    // Ids are asked for by nobody but vLLM's dialects, and by clients.
    const knowsIds = dialect !== "plain" && dialect !== "sglang";
    for (let bytes = 0; bytes < 1_500; bytes += 37) {
      for (const [death, readBytes] of [
        ["rst", 65_536],
        ["fin", 7],
      ] as const) {
        const ran = run(body, {
          dialect,
          diesAfter: [bytes],
          death,
          readBytes,
          knowsIds: knowsIds || body.return_token_ids === true,
        });
        expectWhole(ran, `${death} after ${bytes} bytes`);
        expect(ran.bodies.length).toBeLessThanOrEqual(2);
      }
    }
  });
});

test.each(["rst", "fin", "silence", "close-framed", "error-event"] as const)(
  "an engine that ends by %s, at any byte",
  (death) => {
    const body = asks[3]!;
    for (let bytes = 400; bytes < 900; bytes += death === "silence" ? 97 : 1) {
      const ran = run(body, { dialect: "omni", diesAfter: [bytes], death });
      expectWhole(ran, `after ${bytes} bytes`);
      expect(ran.bodies.length, `after ${bytes} bytes`).toBe(2);
    }
  },
);

test("an engine that wants a prefill of the rest first gets one", () => {
  const ran = run(asks[0]!, { dialect: "cache-threshold", diesAfter: [450], returnsRest: true });
  expectWhole(ran, "returned");
  expect(ran.bodies).toHaveLength(3);
  expect(ran.world.prefill.flatMap(({ requests }) => requests)).toHaveLength(1);
});

test("several die, one after the other, and those that were tried before live again", () => {
  const diesAfter = [300, 500, 200, 400, 0, 450];
  const ran = run(asks[1]!, { dialect: "omni", diesAfter, decode: 3 });
  expectWhole(ran, "six deaths");
  expect(ran.bodies.length).toBeGreaterThanOrEqual(6);
});

test("a lone engine whose connection breaks is asked again", () => {
  expectWhole(run(asks[0]!, { dialect: "plain", diesAfter: [300], decode: 1 }), "lone");
});

test("what is asked for goes on behind what the client has", () => {
  const chat = run(asks[3]!, { dialect: "plain", diesAfter: [450], knowsIds: false });
  expect(chat.bodies[1]).toMatchObject({
    messages: [...messages, { role: "assistant", content: expect.stringMatching(/^Once upon/) }],
    add_generation_prompt: false,
    continue_final_message: true,
  });
  // By ids where the engine reports them, although the client has not asked for any.
  const ids = run(asks[0]!, { dialect: "omni", diesAfter: [450] });
  expect(ids.bodies[0]!.return_token_ids).toBe(true);
  const { prompt, max_tokens } = ids.bodies[1]!;
  const made = (prompt as number[]).length - 3;
  expect(prompt).toEqual([1, 2, 3, ...words.slice(0, made).map((_, i) => 1_000 + i)]);
  expect(made).toBeGreaterThan(0);
  expect(max_tokens).toBe(30 - made);
  // With a stop string the engine may hold back text of ids that it has reported.
  const stop = run({ ...asks[0]!, stop: ["x"] }, { dialect: "omni", diesAfter: [450] });
  expect(stop.bodies[1]!.prompt).toMatch(/^P:Once/);
});

describe.each<[string, Asked]>([
  ["several choices", { prompt: "P:", n: 2 }],
  ["several prompts", { prompt: ["P:", "Q:"] as never }],
  ["best_of", { prompt: "P:", best_of: 2 }],
  ["echo", { prompt: "P:", echo: true }],
  ["tools", { messages, tools: [{ type: "function" }] }],
  ["a grammar", { messages, response_format: { type: "json_object" } }],
  ["guided decoding", { messages, guided_regex: "a+" }],
  ["a grammar of SGLang's", { messages, ebnf: "root ::= x" }],
  ["a logits processor", { messages, logits_processors: ["x"] }],
  ["a penalty", { messages, frequency_penalty: 0.1 }],
])("with %s the break stays visible", (_, body) => {
  test.each(["omni", "plain"] as const)("%s", (dialect) => {
    const { client, bodies, world } = run({ ...body, ...stream }, { dialect, diesAfter: [500] });
    expect(client.answers).toEqual([]);
    expect(client.ended).toBeDefined();
    expect(client.partialBody).not.toContain("[DONE]");
    expect(bodies).toHaveLength(1);
    expect(world.lines).toEqual([expect.stringContaining("200 GP_TRUNCATED")]);
    world.expectNothingLeft();
  });
});

test("neutral values do not stand in the way", () => {
  const more = {
    n: 1,
    tools: null,
    frequency_penalty: 0,
    presence_penalty: 0.0,
    repetition_penalty: 1,
    response_format: null,
  };
  const ran = run({ ...asks[3]!, ...more } as never, { dialect: "omni", diesAfter: [500] });
  expectWhole(ran, "neutral");
});

test("without it a stream breaks off, and its body goes out as it came", () => {
  const { client, bodies } = run(asks[0]!, { dialect: "omni", diesAfter: [450], resume: false });
  expect(client.answers).toEqual([]);
  expect(bodies).toHaveLength(1);
  expect(bodies[0]).not.toHaveProperty("return_token_ids");
});

test("a rest that cannot be had breaks off, and is not tried for ever", () => {
  const never = run(asks[0]!, { dialect: "omni", diesAfter: [450, ...Array(100).fill(60)] });
  expect(never.client.answers).toEqual([]);
  expect(never.client.partialBody).not.toContain("[DONE]");
  expect(never.bodies.length).toBeLessThanOrEqual(17);
});
