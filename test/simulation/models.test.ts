/** Several models behind one listener: each request reaches engines that have its model, by the name that they know. */
import { expect, test } from "vitest";
import { configSchema } from "../../src/config/schema/schema.ts";
import { hashOfKey } from "../../src/config/values/key-file.ts";
import { codeOf } from "./client.ts";
import { response } from "./engine.ts";
import {
  a,
  ask,
  askedFor,
  b,
  configOf,
  get,
  legs,
  list,
  send,
  usualLists,
  worldOf,
} from "./model-fleets.ts";
import { jsonResponse } from "./prompts.ts";
import { World } from "./world.ts";

test("both legs of a request go to the engines that list its model, and to no others", () => {
  const world = worldOf({ models: [a, b] });
  for (let i = 0; i < 4; i += 1) {
    expect(ask(world, "llama").status).toBe(200);
    expect(ask(world, "qwen").status).toBe(200);
  }
  expect(new Set(world.engines.slice(0, 2).flatMap(askedFor))).toEqual(new Set(["llama"]));
  expect(new Set(world.decode.slice(0, 2).flatMap(askedFor))).toEqual(new Set(["llama"]));
  expect(new Set(world.prefill.slice(2).flatMap(askedFor))).toEqual(new Set(["qwen"]));
  expect(new Set(world.decode.slice(2).flatMap(askedFor))).toEqual(new Set(["qwen"]));
  world.expectNothingLeft();
});

test("exact names go before what engines list, that before the longest prefix, that before expressions", () => {
  const world = worldOf({
    models: [
      { model: "~^(llama|x)", ...b },
      { model: "x*", ...b },
      { model: "x-long*", ...a },
      { model: "qwen", ...a },
      { model: "auto", ...a },
    ],
  });
  const poolOf = (model: string) => {
    expect(ask(world, model).status).toBe(200);
    return /decode[12]/.test(world.lines.at(-1)!) ? "a" : "b";
  };
  expect(poolOf("qwen")).toBe("a");
  expect(poolOf("llama")).toBe("a");
  expect(poolOf("x-longer")).toBe("a");
  expect(poolOf("xy")).toBe("b");
  expect(poolOf("llama-2")).toBe("b");
});

test("engines get the name that they know, in the place of the client's, and nothing else is changed", () => {
  const world = worldOf({
    models: [{ model: "chat", engineModel: 'll"ama', ...a }, b],
    modelAliases: { "gpt-4o": "qwen" },
  });
  const body = (model: string) =>
    `{ "x" : 1.50, "model" :  "${model}" ,"prompt":"hello \\u00e9", "max_tokens":1 }`;
  expect(send(world, "/v1/completions", body("chat")).status).toBe(200);
  expect(send(world, "/v1/completions", body("gpt-4o")).status).toBe(200);
  const sent = world.decode.flatMap(({ requests }) => requests.map(({ body }) => body.toString()));
  const mentions = sent.map(
    (text) => /"x" : 1\.50, "model" : {2}("(?:[^"\\]|\\.)*") ,/.exec(text)?.[1],
  );
  expect(mentions).toEqual(['"ll\\"ama"', '"qwen"']);
  const prefilled = world.prefill.flatMap(askedFor);
  expect(prefilled).toEqual(['ll"ama', "qwen"]);
});

test("a name that is written with escapes is the name that it means", () => {
  const world = worldOf({ models: [a, b] });
  const text = '{"model":"\\u0071wen","prompt":"p","max_tokens":1}';
  expect(send(world, "/v1/completions", text).status).toBe(200);
  expect(legs(world).at(-1)).toMatch(/decode[34]$/);
});

test("of a name that occurs twice the last one counts, for the choice and for the engine", () => {
  const world = worldOf({ models: [a, b], modelAliases: { other: "qwen" } });
  const text = '{"model":"llama","prompt":"p","max_tokens":1,"model":"other"}';
  expect(send(world, "/v1/completions", text).status).toBe(200);
  expect(legs(world).at(-1)).toMatch(/decode[34]$/);
  expect(world.decode.slice(2).flatMap(askedFor)).toEqual(["qwen"]);
});

test("an unknown model is a 404 in the shape of the API, with the nearest name, and reaches no engine", () => {
  const world = worldOf({ models: [a, b], modelAliases: { "gpt-4o": "qwen" } });
  const message = "The model `gpt-4` does not exist. Did you mean `gpt-4o`?";
  const openai = ask(world, "gpt-4");
  expect(openai.status).toBe(404);
  expect(JSON.parse(openai.body.toString())).toEqual({
    error: { message, type: "invalid_request_error", param: "model", code: "model_not_found" },
  });
  const anthropic = ask(world, "gpt-4", "/v1/messages");
  expect(anthropic.status).toBe(404);
  expect(JSON.parse(anthropic.body.toString())).toEqual({
    type: "error",
    error: { type: "not_found_error", message, code: "GP_UNKNOWN_MODEL" },
  });
  expect(world.lines[0]).toMatch(/^404 GP_UNKNOWN_MODEL/);
  expect(world.engines.every(({ requests }) => requests.length === 0)).toBe(true);
  const labels = world.metrics.outcomes.read().map(({ labels }) => labels[1]);
  expect(labels).not.toContain("gpt-4");
});

test("a request without a model, or with a body of another kind, goes to the first entry", () => {
  const world = worldOf({ models: [b, a] });
  for (const engine of world.decode) engine.script = (_, { send }) => send(response("{}"));
  expect(ask(world, undefined, "/v1/embeddings").status).toBe(200);
  expect(send(world, "/v1/audio/transcriptions", "--x\r\n\r\nsound").status).toBe(200);
  expect(legs(world).every((line) => /decode[34]$/.test(line))).toBe(true);
});

test("a body that is broken is refused as it is without models", () => {
  const world = worldOf({ models: [a, b] });
  expect(codeOf(send(world, "/v1/completions", '{"model":"llama",'))).toBe("GP_BAD_JSON");
  world.expectNothingLeft();
});

test("as long as no engine has listed anything, a name is not unknown", () => {
  const world = worldOf({ models: [a, b] }, {});
  const early = ask(world, "llama");
  expect([early.status, codeOf(early)]).toEqual([503, "GP_MODELS_UNKNOWN"]);
  list(world, usualLists);
  expect(ask(world, "llama").status).toBe(200);
});

test("models appear and vanish while the proxy serves", () => {
  const world = worldOf({ models: "auto" }, usualLists, a);
  expect(ask(world, "new").status).toBe(404);
  list(world, { ...usualLists, decode2: ["new"], prefill1: ["new"] });
  expect(ask(world, "new").status).toBe(200);
  expect(legs(world).at(-1)).toBe("200 GP_OK prefill1 > decode2");
  list(world, usualLists);
  expect(ask(world, "new").status).toBe(404);
});

test("engines of one pool that serve different models each get their own, on both legs", () => {
  const lists = { prefill1: ["x"], prefill2: ["y"], decode1: ["y"], decode2: ["x"] };
  const world = worldOf({ models: "auto" }, lists, a);
  for (let i = 0; i < 3; i += 1) {
    ask(world, "x");
    ask(world, "y");
  }
  const expected = ["200 GP_OK prefill1 > decode2", "200 GP_OK prefill2 > decode1"];
  expect(new Set(legs(world))).toEqual(new Set(expected));
});

test("a model whose only engine is down is not given to one that lacks it", () => {
  const lists = { prefill1: ["x"], prefill2: ["y"], decode1: ["y"], decode2: ["x"] };
  const world = worldOf({ models: "auto" }, lists, a);
  world.decode[1]!.connects("refused");
  for (let i = 0; i < 3; i += 1) expect(ask(world, "x").status).toBe(502);
  expect(world.decode[0]!.requests).toEqual([]);
  world.expectNothingLeft();
});

test("weights share a model's requests, and a key keeps them together", () => {
  const world = worldOf({
    models: [
      { model: "chat", weight: 3, engineModel: "llama", ...a },
      { model: "chat", weight: 1, engineModel: "qwen", ...b },
    ],
    modelSplitKey: "$http_x_session",
  });
  const body = '{"model":"chat","prompt":"p","max_tokens":1}';
  for (let i = 0; i < 80; i += 1) send(world, "/v1/completions", body);
  const ofB = legs(world).filter((line) => /decode[34]$/.test(line)).length;
  expect(ofB).toBeGreaterThan(8);
  expect(ofB).toBeLessThan(36);
  const ways = new Set<string>();
  for (let session = 0; session < 24; session += 1) {
    const ofSession = new Set<string>();
    for (let i = 0; i < 3; i += 1) {
      send(world, "/v1/completions", body, `X-Session: ${session}\r\n`);
      ofSession.add(/decode[34]$/.test(legs(world).at(-1)!) ? "b" : "a");
    }
    expect(ofSession.size).toBe(1);
    for (const way of ofSession) ways.add(way);
  }
  expect(ways.size).toBe(2);
});

test("an entry whose engines are all down leaves its share to the others", () => {
  const world = worldOf({
    models: [
      { model: "chat", weight: 9, engineModel: "llama", ...a },
      { model: "chat", weight: 1, engineModel: "qwen", ...b },
    ],
  });
  for (const { address } of world.decode.slice(0, 2)) world.network.faults.set(address, "refused");
  const statuses = Array.from({ length: 30 }, () => ask(world, "chat").status);
  expect(statuses.slice(-20)).toEqual(Array.from({ length: 20 }, () => 200));
});

test("the list has each name that can be asked for, as vLLM would list it, and no engine is asked", () => {
  const lists = { ...usualLists, decode1: ["llama", { id: "sql", parent: "llama" }] };
  const world = worldOf(
    {
      models: [a, { model: "chat", engineModel: "qwen", ...b }],
      modelAliases: { "my/gpt": "llama" },
    },
    lists,
  );
  const { status, json } = get(world, "/v1/models");
  expect(status).toBe(200);
  const { object, data } = json as { object: string; data: { id: string }[] };
  expect(object).toBe("list");
  const created = expect.any(Number);
  const shape = {
    object: "model",
    created,
    owned_by: "global-proxy",
    parent: null,
    permission: [],
  };
  expect(data).toEqual([
    { ...shape, id: "chat", root: "qwen" },
    { ...shape, id: "llama", root: "llama" },
    { ...shape, id: "sql", root: "sql", parent: "llama" },
    { ...shape, id: "my/gpt", root: "llama" },
  ]);
  for (const model of data) expect(get(world, `/v1/models/${model.id}`).json).toEqual(model);
  expect(get(world, "/v1/models/qwen").json.error.code).toBe("model_not_found");
  expect(world.engines.every(({ requests }) => requests.length === 0)).toBe(true);
});

test("a tenant sees the models that it may use, also in the hint at a near name", () => {
  const models = { models: [a, b], modelAliases: { "qwen-next": "qwen" } };
  const credentials = { keys: [{ hash: hashOfKey("key"), tenant: "t" }], engineKeys: {} };
  const world = new World({
    prefill: 4,
    decode: 4,
    credentials,
    config: { ...configOf(models), auth: { keyFile: "k" }, tenants: { t: { models: ["qwen"] } } },
  });
  list(world, usualLists);
  const key = "Authorization: Bearer key\r\n";
  const { data } = get(world, "/v1/models", key).json as { data: { id: string }[] };
  expect(data.map(({ id }) => id)).toEqual(["qwen"]);
  expect(get(world, "/v1/models/llama", key).status).toBe(404);
  const near = send(world, "/v1/completions", '{"model":"lama","prompt":"p"}', key);
  expect([near.status, near.body.toString()]).toEqual([404, expect.not.stringContaining("llama")]);
  const other = send(world, "/v1/completions", '{"model":"llama","prompt":"p"}', key);
  expect(codeOf(other)).toBe("GP_MODEL_FORBIDDEN");
});

test("a stored response is asked for at the engine that has it, whatever its model", () => {
  const world = worldOf({ models: [a, b] });
  for (const engine of world.decode)
    engine.script = (_, { send }) => send(response(jsonResponse("p")));
  ask(world, "qwen", "/v1/responses", { input: "p", store: true });
  const [asked] = world.decode.flatMap(({ requests }) => requests);
  const id = JSON.parse(asked!.body.toString()).request_id as string;
  const before = legs(world).at(-1)!.split(" > ")[1];
  get(world, `/v1/responses/${id}`);
  expect(legs(world).at(-1)).toMatch(new RegExp(`> ${before}$`));
});

test("paths that control engines stay closed", () => {
  const world = worldOf({ models: [a, b] });
  expect(codeOf(send(world, "/sleep", "{}"))).toBe("GP_ENGINE_CONTROL");
});

test("a reload changes the models of a route, and no request is lost", () => {
  const world = worldOf({ models: [a] });
  expect(ask(world, "qwen").status).toBe(404);
  const { servers } = configSchema.parse(configOf({ models: [a, b] }));
  world.apply({ ...world.config, servers });
  list(world, usualLists);
  expect(ask(world, "qwen").status).toBe(200);
  expect(ask(world, "llama").status).toBe(200);
  world.expectNothingLeft();
});

test("a name that is longer than any model's reaches no expression, which could take long over it", () => {
  const world = worldOf({ models: [{ model: "~^x", ...a }] });
  expect(ask(world, "x".repeat(256)).status).toBe(200);
  expect(ask(world, "x".repeat(257)).status).toBe(404);
});
