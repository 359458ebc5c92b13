/** `/health` says whether requests can be served, and not only whether one of the engines is well. */
import { expect, test } from "vitest";
import { codeOf } from "./client.ts";
import { response } from "./engine.ts";
import { a, ask as askModel, b, get, worldOf } from "./model-fleets.ts";
import { World } from "./world.ts";

function healthOf(world: World) {
  const client = world.client();
  client.send("GET /health HTTP/1.1\r\nHost: proxy\r\n\r\n", "GET");
  return world.responseTo(client);
}

for (const role of ["prefill", "decode"] as const) {
  for (const engines of [1, 2]) {
    test(`without a fit ${role} engine of ${engines} the proxy is not ready, and with one it is again`, () => {
      const world = new World({ prefill: engines, decode: engines });
      for (const engine of world.decode) {
        const { script } = engine;
        engine.script = (request, connection) =>
          request.startLine.startsWith("GET /health")
            ? connection.send(response("{}"))
            : script(request, connection);
      }
      expect(healthOf(world).status).toBe(200);
      for (const engine of world[role]) engine.connects("refused");
      for (const { socket } of world[role].flatMap(({ connections }) => connections))
        socket.destroy();
      world.responseTo(world.ask({ prompt: "p", stream: false }));
      const bad = healthOf(world);
      expect([bad.status, codeOf(bad)]).toEqual([503, "GP_NOT_READY"]);
      expect(bad.body.toString()).toContain(`\\"${role}\\"`);
      for (const engine of world[role]) engine.connects(undefined);
      expect(world.responseTo(world.ask({ prompt: "p", stream: false })).status).toBe(200);
      expect(healthOf(world).status).toBe(200);
    });
  }
}

test("a model without engines leaves the proxy ready as long as another one is served", () => {
  const world = worldOf({
    models: [
      { model: "llama", ...a, dialect: "vllm-nixl" },
      { model: "qwen", ...b, dialect: "vllm-nixl" },
    ],
  });
  const healthy = () => get(world, "/health");
  const [llama, qwen] = [world.decode.slice(0, 2), world.decode.slice(2)];
  const lose = (model: string, engines: typeof world.decode) => {
    for (const engine of engines) engine.connects("refused");
    for (const { socket } of engines.flatMap(({ connections }) => connections)) socket.destroy();
    expect(askModel(world, model).status).toBe(502);
  };
  for (const engine of world.decode) {
    const { script } = engine;
    engine.script = (request, connection) =>
      request.startLine.startsWith("GET /health")
        ? connection.send(response("{}"))
        : script(request, connection);
  }
  lose("qwen", qwen);
  expect(healthy().status).toBe(200);
  lose("llama", llama);
  const bad = healthy();
  expect([bad.status, bad.json.error.code]).toEqual([503, "GP_NOT_READY"]);
});

test("an entry that gets no requests makes the proxy neither ready nor unready", () => {
  const health = (lost: "a" | "b") => {
    const world = worldOf({
      models: [
        { model: "llama", ...a, dialect: "vllm-nixl" },
        { model: "llama", ...b, dialect: "vllm-nixl", weight: 0 },
      ],
    });
    const engines = { a: world.decode.slice(0, 2), b: world.decode.slice(2) };
    for (const engine of engines[lost]) engine.connects("refused");
    for (const engine of world.decode) engine.script = (_, { send }) => send(response("{}"));
    return { world, engines };
  };
  const idle = health("b");
  expect(get(idle.world, "/health").status).toBe(200);
  const down = health("a");
  askModel(down.world, "llama");
  for (const { socket } of down.engines.a.flatMap(({ connections }) => connections))
    socket.destroy();
  askModel(down.world, "llama");
  expect(get(down.world, "/health").status).toBe(503);
});
