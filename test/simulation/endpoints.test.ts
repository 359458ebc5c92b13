/**
 * Where requests of each endpoint go: what is prefilled by mistake costs a prefill or fails, and a kept answer is at
 * one engine.
 */
import { describe, expect, it, test } from "vitest";
import { type Engine, response, type Script } from "./engine.ts";
import type { Message } from "./http-reader.ts";
import { World, type WorldOptions } from "./world.ts";

/** A world with one route that has a prefill, for all paths. */
function worldOf(options: WorldOptions = {}): World {
  const world = new World({
    ...options,
    routes: [
      {
        match: { path: "/" },
        target: { pool: "decode" },
        prefill: { pool: "prefill" },
        ...options.route,
      },
    ],
  });
  for (const engine of world.engines) {
    engine.checksTransfer = false;
    engine.script = echoes;
  }
  return world;
}

/** Says who answers, and to a response of which id. */
const echoes: Script = ({ body }, connection) => {
  const { address } = connection.engine;
  const id = idIn(body.toString());
  const said = { id, by: address, choices: [{}], kv_transfer_params: { kv: 1 } };
  connection.send(response(JSON.stringify(said)));
};

const idIn = (body: string) => /"request_id":"([^"]*)"/.exec(body)?.[1] ?? null;

function ask(world: World, method: string, path: string, body = "", lines = "") {
  const client = world.client();
  const framed = body === "" ? "" : `Content-Length: ${Buffer.byteLength(body)}\r\n`;
  client.send(`${method} ${path} HTTP/1.1\r\nHost: proxy\r\n${framed}${lines}\r\n${body}`, method);
  const got = world.responseTo(client);
  return {
    status: got.status,
    text: got.body.toString(),
    json: () => JSON.parse(got.body.toString()),
  };
}

const seen = (engines: readonly Engine[]) => engines.flatMap(({ requests }) => requests);
const pathsOf = (requests: readonly Message[]) =>
  requests.map(({ startLine }) => startLine.split(" ")[1]);

describe("of a route with a prefill", () => {
  test.each([
    "/v1/completions",
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/messages",
    "/invocations",
    "/inference/v1/generate",
    "/generate",
  ])("POST %s is prefilled and decoded", (path) => {
    const world = worldOf();
    const body = `{"model":"m","messages":[],"input":"x","max_tokens":5}`;
    expect(ask(world, "POST", path, body).json().by).toMatch(/^decode/);
    expect(pathsOf(seen(world.prefill))).toEqual([path]);
    expect(pathsOf(seen(world.decode))).toEqual([path]);
    world.expectNothingLeft();
  });

  test.each([
    ["/v1/embeddings", "decode"],
    ["/v1/rerank", "decode"],
    ["/v1/audio/transcriptions", "decode"],
    ["/v1/chat/completions/batch", "decode"],
    ["/tokenize", "prefill"],
    ["/detokenize", "prefill"],
    ["/v1/messages/count_tokens", "prefill"],
  ])("POST %s goes to one engine as it is, here to %s", (path, role) => {
    const world = worldOf();
    // No JSON, as a form is not.
    expect(ask(world, "POST", path, "--form").json().by).toMatch(new RegExp(`^${role}`));
    expect(seen(world.engines)).toHaveLength(1);
    expect(seen(world.engines)[0]!.body.toString()).toBe("--form");
    world.expectNothingLeft();
  });

  it("/tokenize goes to a decode engine where no prefill engine is there", () => {
    const world = worldOf({ prefill: 0 });
    expect(ask(world, "POST", "/tokenize", "{}").json().by).toMatch(/^decode/);
  });

  it("prefills whatever is posted where the endpoint is not looked at", () => {
    const world = worldOf({ route: { byEndpoint: false } });
    ask(world, "POST", "/v1/embeddings", "{}");
    expect(seen(world.prefill)).toHaveLength(1);
    ask(world, "GET", "/v1/models");
    expect(seen(world.engines)).toHaveLength(3);
  });

  it("goes by the path that engines get", () => {
    const world = worldOf({
      route: { match: { path: "/llm" }, target: { pool: "decode", uri: "/v1" } },
    });
    ask(world, "POST", "/llm/responses", `{"input":"x","max_output_tokens":9}`);
    expect(JSON.parse(seen(world.prefill)[0]!.body.toString())).toMatchObject({
      max_output_tokens: 1,
      store: false,
    });
  });
});

describe("stored responses", () => {
  const create = (world: World, more: object = {}) =>
    ask(world, "POST", "/v1/responses", JSON.stringify({ input: "x", ...more })).json();

  it("are found by their id alone: in the path, in a request that goes on, in another proxy", () => {
    const world = worldOf({ decode: 5 });
    const created = Array.from({ length: 10 }, () => create(world));
    expect(new Set(created.map(({ id }) => id)).size).toBe(10);
    expect(new Set(created.map(({ by }) => by)).size).toBe(5);
    // It has never seen any of these.
    const other = worldOf({ decode: 5, seed: 9 });
    for (const { id, by } of created) {
      for (const at of [world, other]) {
        expect(ask(at, "GET", `/v1/responses/${id}?stream=false`).json().by).toBe(by);
        expect(ask(at, "DELETE", `/v1/responses/${id}`).json().by).toBe(by);
        expect(ask(at, "POST", `/v1/responses/${id}/cancel`).json().by).toBe(by);
        expect(create(at, { previous_response_id: id }).by).toBe(by);
      }
    }
    expect(pathsOf(seen(other.prefill))).toEqual([]);
    world.expectNothingLeft();
  });

  it("of an id that nobody knows are asked of some engine, whose response it is", () => {
    const world = worldOf();
    for (const engine of world.decode)
      engine.script = (_request, { send }) => send(response(`{"error":{}}`, "404 Not Found"));
    const got = ask(world, "GET", "/v1/responses/resp_0123456789abcdef0123456789abcdef");
    expect([got.status, got.text]).toEqual([404, `{"error":{}}`]);
  });

  it("of an engine that is gone are an error, not another engine's 404", () => {
    const world = worldOf({ decode: 3 });
    const { id, by } = create(world);
    world.decode.find(({ address }) => address === by)!.connects("refused");
    // Its pooled connection has idled out by then.
    world.runFor(2_000);
    for (let i = 0; i < 4; i += 1)
      expect(ask(world, "GET", `/v1/responses/${id}`).status).toBe(502);
    expect(seen(world.decode)).toHaveLength(1);
  });

  it("have the client's own id, if it says one, and are named anew for another engine", () => {
    const world = worldOf();
    expect(create(world, { request_id: "resp_mine" }).id).toBe("resp_mine");
    expect(create(world, { store: false }).id).toBe(null);
    world.decode[0]!.connects("refused");
    for (let i = 0; i < 3; i += 1) {
      const { id, by } = create(world);
      expect(ask(world, "GET", `/v1/responses/${id}`).json().by).toBe(by);
    }
  });

  it("cannot be gone on with where decode cannot compute a prompt", () => {
    const world = worldOf({ route: { dialect: "vllm-p2p-nccl" } });
    const got = ask(world, "POST", "/v1/responses", `{"previous_response_id":"resp_1"}`);
    expect([got.status, got.json().error.code]).toEqual([400, "GP_UNSUPPORTED_REQUEST"]);
  });
});

describe("GET /v1/models", () => {
  const serves = (world: World, ...lists: string[][]) =>
    world.engines.forEach((engine, i) => {
      const data = lists[i]!.map((id) => ({ id, object: "model", by: engine.address }));
      engine.script = (_request, { send }) =>
        send(response(JSON.stringify({ object: "list", data })));
    });

  it("lists what all engines serve, each model once, decode engines first", () => {
    const world = worldOf();
    serves(world, ["m", "p"], ["m"], ["m", "d"], ["m", "q\\u0041"]);
    const { object, data } = ask(world, "GET", "/v1/models").json();
    expect(object).toBe("list");
    expect(data.map(({ id, by }: { id: string; by: string }) => `${id} ${by}`)).toEqual([
      "m decode1:9000",
      "d decode1:9000",
      "q\\u0041 decode2:9000",
      "p prefill1:9000",
    ]);
    world.expectNothingLeft();
  });

  it("is byte for byte one engine's where the others add nothing", () => {
    const world = worldOf();
    const list = `{ "object":"list", "data" : [{"id": "m","created":18446744073709551615}] }`;
    for (const engine of world.engines) engine.script = (_r, { send }) => send(response(list));
    expect(ask(world, "GET", "/v1/models").text).toBe(list);
  });

  it("leaves out engines that fail, say nothing in time, or no list", () => {
    const world = worldOf({ prefill: 3, decode: 3 });
    serves(world, ["a"], ["b"], ["c"], ["d"], ["e"], ["f"]);
    world.prefill[0]!.connects("refused");
    world.prefill[1]!.connects("silence");
    world.prefill[2]!.script = () => {};
    world.decode[0]!.script = (_request, { send }) => send(response("no", "500 Oh"));
    world.decode[1]!.script = (_request, { send }) => send(response("[]"));
    expect(ask(world, "GET", "/v1/models").json().data).toMatchObject([{ id: "f" }]);
    world.expectNothingLeft();
  });

  it("is an engine's own error where none has a list", () => {
    const world = worldOf();
    for (const engine of world.engines)
      engine.script = (_request, { send }) => send(response(`{"error":"key"}`, "401 Unauthorized"));
    const got = ask(world, "GET", "/v1/models");
    expect([got.status, got.text]).toEqual([401, `{"error":"key"}`]);
    world.expectNothingLeft();
  });

  it("carries the client's key to each engine", () => {
    const world = worldOf();
    serves(world, [], [], [], []);
    ask(world, "GET", "/v1/models", "", "Authorization: Bearer k\r\n");
    for (const { fields } of seen(world.engines))
      expect(fields.get("authorization")).toEqual(["Bearer k"]);
  });

  it("costs nothing more when its client leaves", () => {
    const world = worldOf();
    for (const engine of world.engines) engine.script = () => {};
    const client = world.client();
    client.send("GET /v1/models HTTP/1.1\r\nHost: proxy\r\n\r\n", "GET");
    world.runFor(50);
    expect(seen(world.engines)).toHaveLength(4);
    world.expectNothingLeft();
  });
});

test.each([
  [
    "/v1/chat/completions",
    { error: { code: "GP_BAD_JSON", type: "invalid_request_error", param: null } },
  ],
  [
    "/v1/messages",
    { type: "error", error: { type: "invalid_request_error", code: "GP_BAD_JSON" } },
  ],
  ["/generate", { error: { code: "GP_BAD_JSON" } }],
])("errors of the proxy's own at %s have the shape that its clients read", (path, expected) => {
  const got = ask(worldOf(), "POST", path, "{");
  expect(got.status).toBe(400);
  expect(got.json()).toMatchObject(expected);
  expect(typeof got.json().error.message).toBe("string");
});
