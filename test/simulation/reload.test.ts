/**
 * A new configuration holds for what begins after it; what is under way goes on by the old one, and its leases are
 * closed.
 */
import { expect, test } from "vitest";
import { completion } from "./client.ts";
import { rightResponse } from "./prompts.ts";
import { World } from "./world.ts";

const stream = { prompt: "over a reload", stream: true, events: 20 };
const short = { prompt: "after it", stream: false };

/** Leaves only the second engine of each pool. */
function withoutFirst(world: World): void {
  const { config } = world;
  const pools = Object.fromEntries(
    Object.entries(config.pools).map(([name, pool]) => [
      name,
      { ...pool, engines: pool.engines.slice(1) },
    ]),
  );
  world.apply({ ...config, pools });
}

test("a stream from an engine that a reload takes away goes on to its end", () => {
  const world = new World();
  const client = world.ask(stream);
  world.runFor(100);
  expect(client.midway).toBe(true);
  withoutFirst(world);
  expect(world.responseTo(client).body.toString()).toBe(rightResponse(stream));
  client.send(completion(short));
  expect(world.responseTo(client).body.toString()).toBe(rightResponse(short));
  expect(world.lines).toEqual([
    "200 GP_OK prefill1:9000 > decode1:9000",
    "200 GP_OK prefill2:9000 > decode2:9000",
  ]);
  world.expectNothingLeft();
});

test("a connection to an engine that a reload takes away does not stay open", () => {
  const world = new World();
  const client = world.ask(stream);
  const idle = world.ask(short);
  world.responseTo(idle);
  world.runFor(20);
  withoutFirst(world);
  world.responseTo(client);
  world.runFor(5);
  const open = world.engines.map(({ openConnections }) => openConnections);
  expect([open[0], open[2]]).toEqual([0, 0]);
  world.expectNothingLeft();
});

test("a request that waits for its prefill over a reload is decoded, and nothing is left of it", () => {
  const world = new World();
  const { script } = world.prefill[0]!;
  world.prefill[0]!.script = (request, connection) =>
    connection.after(100, () => script(request, connection));
  const client = world.ask(short);
  world.runFor(50);
  withoutFirst(world);
  expect(world.responseTo(client).body.toString()).toBe(rightResponse(short));
  world.expectNothingLeft();
});
