/** A prefill that responds with 200 and something that is no prefill's response has failed: another is tried. */
import { describe, expect, test } from "vitest";
import { codeOf } from "./client.ts";
import { chunk, chunkedHead, decodes, response, type Script } from "./engine.ts";
import { rightResponse } from "./prompts.ts";
import { World } from "./world.ts";

const ask = { prompt: "mind the junk", stream: true };
const whole = '{"id":"x","choices":[{"text":"a"}],"usage":{"prompt_tokens":3}';

const says =
  (body: string): Script =>
  (_, { send }) =>
    send(response(body));

const junk: Record<string, Script> = {
  "an error": says('{"error":{"message":"EngineDeadError","code":500}}'),
  "an error of an older engine": says('{"object":"error","message":"no","code":500}'),
  "a page": says("<html><body>It works!</body></html>"),
  "half of its JSON": says(`${whole},"kv_transfer_params":{"kv":"p`),
  "text behind its JSON": says(`${whole}} and more`),
  "an error of FastAPI's": says('{"detail":"Internal Server Error"}'),
  nothing: says(""),
  "an object of nothing": says("{}"),
  "a list of nothing": says("[ ]"),
  "no content": (_, { send }) => send("HTTP/1.1 204 No Content\r\n\r\n"),
  "a text": says('"fine"'),
  "an event stream": (_, { send }) => {
    send(`${chunkedHead}${chunk(`data: ${whole}}\n\n`)}${chunk("data: [DONE]\n\n")}0\r\n\r\n`);
  },
};

/** Where the response has to name the KV cache. */
const oddTransfers: Record<string, Script> = {
  "a list as parameters": says(`${whole},"kv_transfer_params":[1]}`),
  "a text as parameters": says(`${whole},"kv_transfer_params":"p1"}`),
  "a number as parameters": says(`${whole},"kv_transfer_params":7}`),
};

describe("omni", () => {
  test.each(Object.entries({ ...junk, ...oddTransfers }))("%s", (_, script) => {
    const world = new World();
    world.prefill[0]!.script = script;
    expect(world.responseTo(world.ask(ask)).body.toString()).toBe(rightResponse(ask));
    expect(world.lines).toEqual(["200 GP_OK prefill1:9000, prefill2:9000 > decode1:9000"]);
    world.expectNothingLeft();
  });

  test("from all of them is an error that says so, and reaches no decode engine", () => {
    const world = new World();
    for (const engine of world.prefill) engine.script = junk["a page"]!;
    expect(codeOf(world.responseTo(world.ask(ask)))).toBe("GP_PREFILL_INVALID");
    expect(world.decode.flatMap(({ requests }) => requests)).toEqual([]);
    world.expectNothingLeft();
  });

  test("is not tried elsewhere where the route forbids it", () => {
    const world = new World({ route: { retry: { on: ["error", "timeout"] } } });
    world.prefill[0]!.script = junk["a page"]!;
    expect(codeOf(world.responseTo(world.ask(ask)))).toBe("GP_PREFILL_INVALID");
    expect(world.prefill[1]!.requests).toEqual([]);
    world.expectNothingLeft();
  });

  test("ejects an engine that has nothing else to say", () => {
    const world = new World();
    world.prefill[0]!.script = junk["a page"]!;
    for (let i = 0; i < 30; i += 1) world.responseTo(world.ask(ask));
    expect(world.prefill[0]!.requests.length).toBeLessThan(10);
    world.expectNothingLeft();
  });

  test("null parameters are no junk: decode computes the prompt", () => {
    const world = new World();
    world.prefill[0]!.script = says(`${whole},"kv_transfer_params":null}`);
    for (const engine of world.decode) {
      engine.checksTransfer = false;
      engine.script = decodes;
    }
    expect(world.responseTo(world.ask(ask)).body.toString()).toBe(rightResponse(ask));
    expect(world.prefill[1]!.requests).toEqual([]);
    world.expectNothingLeft();
  });
});

describe.each(["sglang", "vllm-mooncake", "shared-storage", "moriio-read"] as const)(
  "%s",
  (dialect) => {
    test.each(Object.entries(junk))("%s", (_, script) => {
      const attributes = { engine_id: "e" };
      const world = new World({ route: { dialect }, engine: { attributes } });
      const good =
        `${whole},"error":null,"kv_transfer_params":` +
        '{"remote_engine_id":"e","remote_block_ids":[1],"transfer_id":"t"}}';
      for (const engine of world.engines) engine.checksTransfer = false;
      world.prefill[0]!.script = script;
      world.prefill[1]!.script = says(good);
      // It has its KV cache late, so that both at once are not over before.
      for (const engine of world.decode) {
        engine.script = (request, connection) =>
          connection.after(100, () => decodes(request, connection));
      }
      expect(world.responseTo(world.ask(ask)).body.toString()).toBe(rightResponse(ask));
      expect(world.prefill[1]!.requests).toHaveLength(1);
      world.expectNothingLeft();
    });
  },
);

test("a batch of SGLang's, whose response is a list, is none", () => {
  const world = new World({ route: { dialect: "sglang" }, routes: [] });
  for (const engine of world.engines) engine.checksTransfer = false;
  world.prefill[0]!.script = says('[{"text":"a","meta_info":{}},{"text":"b","meta_info":{}}]');
  world.decode[0]!.script = says('[{"text":"a"},{"text":"b"}]');
  expect(world.responseTo(world.ask({ ...ask, stream: false })).status).toBe(200);
  expect(world.prefill[1]!.requests).toEqual([]);
  world.expectNothingLeft();
});
