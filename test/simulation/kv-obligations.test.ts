/** A KV cache that a prefill engine keeps for a decode which does not come stays until its lease ends. */
import { expect, test } from "vitest";
import { World } from "./world.ts";

const ask = { prompt: "held for nobody", stream: true };

test("a client that leaves while decode is being connected to does not leave its KV cache behind", () => {
  const world = new World({ latencyMs: [20, 20] });
  const client = world.ask(ask);
  world.runUntil(() => world.kv.held.size === 1, 1_000);
  // The prefill's answer is on its way, then decode is connected to.
  world.runFor(25);
  expect(world.decode.flatMap(({ requests }) => requests)).toEqual([]);
  client.socket.destroy();
  world.runFor(25);
  expect(world.inFlight).toBe(0);
  world.runFor(100);
  expect(world.lines).toEqual(["499 GP_CLIENT_GONE prefill1:9000 > decode1:9000"]);
  expect(world.decode.flatMap(({ requests }) => requests)).toHaveLength(1);
  expect(world.kv.held.size).toBe(0);
  // The engine has been told by the end of its connection that nobody reads.
  expect(world.decode.map(({ openConnections }) => openConnections)).toEqual([0, 0]);
  world.expectNothingLeft();
});

test("such a connection that never comes up is given up when its time is over", () => {
  const world = new World();
  for (const engine of world.decode) engine.connects("silence");
  const client = world.ask(ask);
  world.runFor(50);
  client.socket.destroy();
  world.runFor(5_000);
  world.expectNothingLeft();
});

test("a request that no decode engine has a place for begins no prefill", () => {
  const world = new World({ decode: 1, engine: { maxConns: 1 } });
  world.ask(ask);
  world.runFor(15);
  const second = world.ask(ask);
  expect(world.responseTo(second).status).toBe(503);
  expect(world.lines[0]).toBe("503 GP_DECODE_FULL - > -");
  expect(world.prefill.flatMap(({ requests }) => requests)).toHaveLength(1);
  world.runFor(2_000);
  expect(world.kv.held.size).toBe(0);
  world.expectNothingLeft();
});
