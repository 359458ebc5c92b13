/** A call that a client forces, and an older prefill engine fails, since it ends after its first token. */
import { describe, expect, test } from "vitest";
import { response } from "./engine.ts";
import { World, type WorldOptions } from "./world.ts";

const messages = [{ role: "user", content: "hello" }];
const named = { type: "function", function: { name: "weather" } };

/** How many requests each leg saw. */
function legsOf(path: string, body: object, version: string | undefined) {
  const engine = version === undefined ? {} : { attributes: { version } };
  const route = {
    match: { path: "/v1/" },
    target: { pool: "decode" },
    prefill: { pool: "prefill" },
    dialect: "vllm-nixl",
  };
  const world = new World({ routes: [route], route, engine } as WorldOptions);
  for (const one of world.engines) {
    one.checksTransfer = false;
    one.script = (_, connection) =>
      connection.send(response('{"choices":[{}],"kv_transfer_params":{"kv":1}}'));
  }
  const client = world.client();
  const text = JSON.stringify({ model: "m", ...body });
  const head = `POST ${path} HTTP/1.1\r\nHost: proxy\r\nContent-Length: ${Buffer.byteLength(text)}`;
  client.send(`${head}\r\n\r\n${text}`);
  expect(world.responseTo(client).status).toBe(200);
  world.runFor(100);
  world.expectNothingLeft();
  const seen = (engines: typeof world.engines) => engines.flatMap(({ requests }) => requests);
  return { prefill: seen(world.prefill).length, decode: seen(world.decode).length };
}

const alone = { prefill: 0, decode: 1 };
const both = { prefill: 1, decode: 1 };
const chat = "/v1/chat/completions";
const forced: readonly [string, object][] = [
  [chat, { messages, tool_choice: "required" }],
  [chat, { messages, tool_choice: named }],
  ["/v1/messages", { messages, max_tokens: 5, tool_choice: { type: "any" } }],
  ["/v1/messages", { messages, max_tokens: 5, tool_choice: { type: "tool", name: "weather" } }],
  ["/v1/responses", { input: "x", tool_choice: "required" }],
];
const free: readonly [string, object][] = [
  [chat, { messages }],
  [chat, { messages, tool_choice: "auto" }],
  [chat, { messages, tool_choice: "none" }],
  [chat, { messages, tool_choice: null }],
  ["/v1/messages", { messages, max_tokens: 5, tool_choice: { type: "auto" } }],
];

describe.each(["0.6.0", "0.11.2", "v0.18.0", "0.18.1rc1"])("vLLM %s", (version) => {
  test.each(forced)("%s %j goes to decode alone", (path, body) => {
    expect(legsOf(path, body, version)).toEqual(alone);
  });
  test.each(free)("%s %j goes through prefill and decode", (path, body) => {
    expect(legsOf(path, body, version)).toEqual(both);
  });
});

test.each(["0.19.0", "0.32.0", "1.0.0", undefined])(
  "vLLM %s prefills a call that is forced",
  (version) => {
    for (const [path, body] of forced) expect(legsOf(path, body, version)).toEqual(both);
  },
);
