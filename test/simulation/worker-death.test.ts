/** A worker that dies leaves nothing behind that others would take for load, and nobody without an end. */
import { expect, test } from "vitest";
import { World } from "./world.ts";

test("the leases of a worker that dies in the middle of a stream are taken back; other workers' streams go on", () => {
  const world = new World({ workers: 2 });
  const asks = ["a", "b", "c", "d"].map((prompt) => ({ prompt, stream: true, events: 20 }));
  const clients = asks.map((ask) => world.ask(ask));
  world.runUntil(() => clients.every((client) => client.partialBody.includes("data:")), 1_000);
  expect(world.inFlight).toBe(4);
  world.workers.kill(0);
  expect(world.inFlight).toBe(2);
  world.runFor(1_000);
  expect(clients.map((client) => client.answers.length).sort()).toEqual([0, 0, 1, 1]);
  expect(clients.filter(({ ended }) => ended === "rst")).toHaveLength(2);
  world.expectNothingLeft();
});

test("the places in the queue of a worker that dies are free for the others", () => {
  const world = new World({
    workers: 2,
    prefill: 1,
    engine: { maxConns: 1 },
    pool: { queue: { max: 10, timeoutMs: 60_000 } },
  });
  const clients = [1, 2, 3, 4, 5, 6].map((i) => world.ask({ prompt: `prompt ${i}`, stream: true }));
  world.runFor(20);
  expect(world.workers.queueSize).toBeGreaterThan(2);
  world.workers.kill(1);
  world.runUntil(() => clients.every((one) => one.ended ?? one.answers.length === 1), 10_000);
  expect(clients.filter(({ answers }) => answers[0]?.status === 200)).toHaveLength(3);
  world.expectNothingLeft();
});
