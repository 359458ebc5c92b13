/**
 * A pooled connection may be closed by its engine just as it is used again: then the request is sent once more, safely.
 */
import { expect, test } from "vitest";
import type { EngineConnection } from "./engine.ts";
import { rightResponse } from "./prompts.ts";
import { World } from "./world.ts";

const ask = { prompt: "again", stream: false };

/** One answered request, so that each engine has a pooled connection. */
function warm(options: { prefill?: number; decode?: number } = { prefill: 1, decode: 1 }): World {
  const world = new World(options);
  const client = world.ask(ask);
  world.responseTo(client);
  client.socket.destroy();
  return world;
}

/** From now on the engine closes a connection as the next request comes in, unread. */
function closesAtNextRequest({ socket }: EngineConnection, how: "fin" | "rst"): void {
  socket.atBytesRead(socket.bytesRead + 1, () => socket.cut(how));
}

for (const how of ["fin", "rst"] as const) {
  for (const role of ["prefill", "decode"] as const) {
    // A decode engine that has failed is connected to once more, to have it free the KV cache at the prefill engine.
    const freeing = role === "decode" ? [0] : [];
    test(`a pooled connection of a ${role} engine that ends by ${how} is replayed once, on a new one`, () => {
      const world = warm();
      const [engine] = world[role];
      closesAtNextRequest(engine!.connections[0]!, how);
      const response = world.responseTo(world.ask(ask));
      expect(response.body.toString()).toBe(rightResponse(ask));
      expect(engine!.connections.map(({ requests }) => requests)).toEqual([1, 1]);
      expect(world.lines.at(-1)).toBe("200 GP_OK prefill1:9000 > decode1:9000");
      world.expectNothingLeft();
    });

    test(`a second failure by ${how} of the same ${role} engine is a failure`, () => {
      const world = warm();
      const [engine] = world[role];
      closesAtNextRequest(engine!.connections[0]!, how);
      engine!.accepted = (connection) => closesAtNextRequest(connection, how);
      expect(world.responseTo(world.ask(ask)).status).toBe(502);
      expect(engine!.connections.map(({ requests }) => requests)).toEqual([1, 0, ...freeing]);
      world.expectNothingLeft();
    });

    test(`a ${role} engine that has begun to answer on a pooled connection is not asked again (${how})`, () => {
      const world = warm();
      const [engine] = world[role];
      engine!.script = (_, { send, after, socket }) => {
        send("HTTP/1.1 2");
        after(5, () => socket.cut(how));
      };
      expect(world.responseTo(world.ask(ask)).status).toBe(502);
      expect(engine!.connections.map(({ requests }) => requests)).toEqual([2, ...freeing]);
      world.expectNothingLeft();
    });
  }
}

test("a replay does not count as a failure of the engine", () => {
  const world = warm({ prefill: 2, decode: 2 });
  const [engine] = world.decode;
  closesAtNextRequest(engine!.connections[0]!, "fin");
  for (let i = 0; i < 6; i += 1) expect(world.responseTo(world.ask(ask)).status).toBe(200);
  expect(world.lines.filter((line) => line.endsWith("> decode1:9000"))).toHaveLength(4);
  world.expectNothingLeft();
});

test("a connection that an engine closes while it is idle is not used again", () => {
  const world = warm();
  world.decode[0]!.connections[0]!.socket.destroy();
  world.runFor(5);
  expect(world.responseTo(world.ask(ask)).status).toBe(200);
  expect(world.decode[0]!.connections.map(({ requests }) => requests)).toEqual([1, 1]);
  world.expectNothingLeft();
});

test("what an idle engine says unasked is never the response to the next request", () => {
  const world = warm();
  const { send } = world.decode[0]!.connections[0]!;
  send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
  world.runFor(5);
  expect(world.responseTo(world.ask(ask)).body.toString()).toBe(rightResponse(ask));
  world.expectNothingLeft();
});
