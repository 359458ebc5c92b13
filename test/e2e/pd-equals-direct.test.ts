/** Through prefill and decode, a response is byte for byte the one that a single engine gives directly. */
import { Agent } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { post } from "../support/http-client.ts";
import { bunAndOneNode } from "../support/runtimes.ts";
import { type Engine, instant, type ServingProxy, Stack, totals } from "../support/stack.ts";

const completions = "/v1/completions";
const chat = "/v1/chat/completions";
const messages = [
  { role: "system", content: "Be brief." },
  { role: "user", content: "Where does the KV cache go?" },
];
const usage = { stream: true, stream_options: { include_usage: true } };
const everyByte = `"\\\\ \\" \\/ \\b\\f\\n\\r\\t \\u0000 \\ud83d\\ude80 \\u00e9 é 東京 🚀 \u2028 {}[],: // \\"max_tokens\\": 5"`;

/** What a client may send, and still deserves the same answer. Bodies are text where the very bytes matter. */
const bodies: readonly (readonly [string, string, object | string])[] = [
  ["a completion", completions, { prompt: "Hello" }],
  ["a streamed completion", completions, { prompt: "Hello", stream: true }],
  ["a chat", chat, { messages }],
  ["a streamed chat", chat, { messages, stream: true }],
  ["a completion with usage", completions, { prompt: "Hello", ...usage }],
  ["a chat with usage", chat, { messages, ...usage }],
  [
    "usage with each event",
    chat,
    { messages, stream: true, stream_options: { continuous_usage_stats: true } },
  ],
  ["max_tokens", completions, { prompt: "Hello", max_tokens: 3 }],
  ["one token", completions, { prompt: "Hello", max_tokens: 1, stream: true }],
  ["max_completion_tokens", chat, { messages, max_completion_tokens: 7 }],
  ["both bounds", chat, { messages, max_tokens: 9, max_completion_tokens: 4, ...usage }],
  ["min_tokens", completions, { prompt: "Hello", min_tokens: 130 }],
  ["min_tokens at the bound", completions, { prompt: "Hello", min_tokens: 20, max_tokens: 20 }],
  ["several choices", completions, { prompt: "Hello", n: 3, max_tokens: 6 }],
  ["several choices, streamed", chat, { messages, n: 4, max_tokens: 6, ...usage }],
  ["several prompts", completions, { prompt: ["One", "Two", "Three"], max_tokens: 4 }],
  ["token ids", completions, { prompt: [1, 2, 3, 4294967295], stream: true }],
  ["a stop string", completions, { prompt: "Tell me of it", stop: "the" }],
  ["stop strings, streamed", chat, { messages, stop: ["a", "of"], stream: true, min_tokens: 5 }],
  ["tools", chat, { messages, tools: [{ type: "function", function: { name: "max_tokens" } }] }],
  ["null for everything", completions, `{"prompt":"x","stream":null,"max_tokens":null,"n":null}`],
  ["a seed", completions, { prompt: "Hello", seed: 7 }],
  ["a seed beyond 2^53", completions, `{"prompt":"Hello","seed":9007199254740993}`],
  [
    "a huge seed, streamed",
    chat,
    `{"messages":[{"role":"user"}],"stream":true,"seed":-${9n ** 18n}}`,
  ],
  ["escapes and unicode", completions, `{"prompt":${everyByte},"stream":true}`],
  ["unicode in chat", chat, `{"messages":[{"role":"user","content":${everyByte}}]}`],
  [
    "white space",
    completions,
    `\r\n\t {  "prompt"\n:\t"x" ,\r\n"max_tokens" : 5 , "stream" : true } \n`,
  ],
  ["duplicate keys", completions, `{"max_tokens":2,"prompt":"a","max_tokens":5,"prompt":"b"}`],
  [
    "duplicates of all kinds",
    completions,
    `{"stream":false,"prompt":"b","n":1,"stream":true,"n":2}`,
  ],
  [
    "escaped key names",
    completions,
    `{"pr\\u006fmpt":"b","max\\u005ftokens":5,"str\\u0065am":true}`,
  ],
  [
    "nested keys of the same names",
    completions,
    `{"x":{"max_tokens":1,"stream":true},"prompt":"b"}`,
  ],
  ["keys last, nothing before", completions, `{"prompt":"b","stream_options":null,"stream":true}`],
  [
    "keys first",
    completions,
    `{"stream":true,"stream_options":{"include_usage":true},"prompt":"b"}`,
  ],
  [
    "unknown keys and numbers",
    completions,
    `{"prompt":"b","a":1e400,"b":-0.0,"c":[[[1]]],"d":1E+2}`,
  ],
  ["the client's own kv_transfer_params", completions, ownParams("completion")],
  ["the same in a streamed chat", chat, ownParams("chat")],
  ["1 MB of prompt", completions, { prompt: "lorem ipsum ".repeat(87_400), max_tokens: 8 }],
  [
    "1 MB of messages, streamed",
    chat,
    { messages: [{ role: "user", content: "é".repeat(524_288) }], ...usage },
  ],
];

function ownParams(kind: string): string {
  const params = `{"do_remote_prefill":true,"remote_engine_id":"evil","remote_host":"127.0.0.1","remote_port":1,"remote_request_id":"x"}`;
  const start = kind === "chat" ? `{"messages":[{"role":"user"}],"stream":true` : `{"prompt":"x"`;
  return `${start},"kv_transfer_params":${params},"max_tokens":4,"kv\\u005ftransfer_params":null}`;
}

describe.each(bunAndOneNode("pd-equals-direct"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  let pair: readonly [Engine, Engine];
  let direct: Engine;
  let proxy: ServingProxy;

  beforeAll(async () => {
    const [prefills, decodes, mixed] = await Promise.all([
      stack.startEngines("prefill", 1, instant, runtime),
      stack.startEngines("decode", 1, instant, runtime),
      stack.startEngines("mixed", 1, instant, runtime),
    ]);
    pair = [prefills[0]!, decodes[0]!];
    direct = mixed[0]!;
    proxy = await stack.startByFlags(prefills, decodes);
  });
  afterAll(() => stack.end());

  test.each(bodies)("%s", async (name, path, body) => {
    const before = totals(await Promise.all(pair.map((engine) => engine.state())));
    const headers = { "x-request-id": name.replaceAll(" ", "-") };
    // The same on a connection of its own, and on one that is used again.
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const expected = await post(direct.url + path, body, { headers });
    expect(expected).toMatchObject({ status: 200, end: "whole" });
    for (const way of [{ agent }, { agent }, {}]) {
      const response = await post(proxy.url + path, body, { headers, ...way });
      expect(response.body).toBe(expected.body);
      expect(response).toMatchObject({ status: 200, end: "whole" });
      for (const field of ["content-type", "content-length", "transfer-encoding", "server"]) {
        expect(response.headers[field]).toBe(expected.headers[field]);
      }
      expect(response.headers["x-request-id"]).toBe(headers["x-request-id"]);
    }
    agent.destroy();
    const after = totals(await stack.settled(pair));
    expect(after).toEqual({
      ...before,
      seen: before.seen + 6,
      stored: before.stored + 3,
      fetched: before.fetched + 3,
    });
  });

  test("one prefill and one decode each, with the same id, and nothing computed twice", async () => {
    const [prefill, decode] = await stack.settled(pair);
    expect(prefill).toMatchObject({ requestsSeen: 3 * bodies.length, protocolViolations: 0 });
    expect(decode).toMatchObject({ requestsSeen: 3 * bodies.length, protocolViolations: 0 });
    expect(decode!.remotePrefills).toBe(3 * bodies.length);
    expect(prefill!.requestIds).toEqual(decode!.requestIds);
    expect(totals([prefill!, decode!])).toMatchObject({ recomputed: 0, refused: 0, expired: 0 });
  });

  test("a client's own kv_transfer_params reach neither engine", async () => {
    const body = ownParams("completion");
    expect((await post(proxy.url + completions, body)).status).toBe(200);
    const [prefill, decode] = await Promise.all(pair.map((engine) => engine.requests()));
    expect(prefill!.at(-1)!.body).toBe(`{"prompt":"x","max_tokens":1}`);
    const sent = decode!.at(-1)!.body;
    expect(sent).not.toContain("evil");
    expect(sent).toMatch(
      /^\{"prompt":"x","max_tokens":4,"kv_transfer_params":\{"do_remote_p[^}]+\}\}$/,
    );
  });
});
