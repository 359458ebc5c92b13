/** An engine that takes a large request slowly has its time as long as it goes on; one that takes nothing has not. */
import { expect, test } from "vitest";
import { codeOf, completion } from "./client.ts";
import { decodes, type EngineConnection } from "./engine.ts";
import { rightResponse } from "./prompts.ts";
import { World } from "./world.ts";

const ask = { prompt: "x".repeat(600_000), stream: false };
const sendTimeoutMs = 600;
const options = {
  prefill: 1,
  decode: 1,
  kernelBytes: 20_000,
  readBytes: [10_000, 10_000],
  route: { sendTimeoutMs },
} as const;

/** Reads once in so many ms. */
function readsEvery(world: World, { socket }: EngineConnection, everyMs: number): void {
  const { handler } = socket;
  socket.handler = {
    ...handler,
    onData: (bytes) => {
      socket.pause();
      handler.onData(bytes);
      world.network.after(everyMs, () => socket.resume());
    },
  };
}

test("a request that is taken slowly is not given up, however long it takes", () => {
  const world = new World(options);
  world.decode[0]!.script = decodes;
  world.decode[0]!.accepted = (connection) => readsEvery(world, connection, 200);
  const client = world.ask(ask);
  expect(world.responseTo(client, 60_000).body.toString()).toBe(rightResponse(ask));
  expect(world.network.nowMs()).toBeGreaterThan(10_000);
  world.expectNothingLeft();
});

test.each(["prefill", "decode"] as const)(
  "a %s engine that takes no more of a request is given up in time",
  (role) => {
    const world = new World(options);
    world[role][0]!.accepted = ({ socket }) => {
      socket.atBytesRead(100_000, () => socket.pause());
    };
    const client = world.ask(ask);
    const failed = world.responseTo(client, 3 * sendTimeoutMs);
    expect([failed.status, codeOf(failed)]).toEqual([504, `GP_${role.toUpperCase()}_TIMEOUT`]);
    for (const { socket } of world[role][0]!.connections) socket.destroy();
    world.expectNothingLeft();
  },
);

test("an engine that has taken all has the time to respond, from then on", () => {
  const world = new World({ ...options, route: { sendTimeoutMs: 300, readTimeoutMs: 2_000 } });
  world.decode[0]!.script = (request, connection) =>
    connection.after(1_500, () => decodes(request, connection));
  expect(world.responseTo(world.ask(ask)).body.toString()).toBe(rightResponse(ask));
  world.decode[0]!.script = () => {};
  const client = world.client();
  const startMs = world.network.nowMs();
  client.send(completion({ prompt: "short", stream: false }));
  expect(world.responseTo(client).status).toBe(504);
  expect(world.network.nowMs() - startMs).toBeLessThan(2_200);
  world.expectNothingLeft();
});
