/**
 * The queue in the main thread: replies must reach the worker that asked, and a worker that dies must not keep engines
 * from others.
 */
import { afterEach, expect, it } from "vitest";
import { configSchema } from "../../src/config/schema/schema.ts";
import { Pool } from "../../src/pool/pool.ts";
import { SlotTable } from "../../src/pool/slots.ts";
import { QueueServer } from "../../src/queue/queue-server.ts";
import type { QueueRejection } from "../../src/queue/queue-service.ts";
import { RemoteQueue } from "../../src/queue/remote-queue.ts";
import { createScoreboardMemory, Scoreboard } from "../../src/scoreboard/scoreboard.ts";
import { systemClock } from "../../src/transport/clock.ts";
import { queueRequest } from "./fake/queue.ts";

const servers: QueueServer[] = [];
afterEach(() => {
  for (const queue of servers.splice(0)) queue.close();
});

function serverOf(engines: number) {
  const config = configSchema.parse({
    pools: {
      p: {
        policy: { name: "predictive", queueMax: 3 },
        engines: Array.from({ length: engines }, (_, i) => ({ url: `e${i}:1` })),
      },
    },
    servers: [{ listen: [{ port: 80 }], routes: [] }],
  });
  const board = new Scoreboard(createScoreboardMemory({ workers: 2, slots: engines }), 0);
  const slots = new SlotTable(engines, () => {}).assign(config);
  const server = new QueueServer(systemClock, () => {});
  servers.push(server);
  server.pools.use([new Pool("p", config.pools["p"]!, { board, slots, random: () => 0.5 })]);
  const worker = (index: number): RemoteQueue => {
    const remote: RemoteQueue = new RemoteQueue((question) =>
      server.receive(index, structuredClone(question), (response) =>
        remote.receive(structuredClone(response)),
      ),
    );
    return remote;
  };
  return { server, workers: [worker(0), worker(1)] as const };
}

const request = queueRequest({ bytes: 40_000, blocks: [1, 2, 3] });

function waits(queue: RemoteQueue, asked = request) {
  const seen: (string | QueueRejection)[] = [];
  const ticket = queue.ticket(asked, {
    granted: (engine) => void seen.push(engine),
    rejected: (reason) => void seen.push(reason),
  });
  ticket.enqueue();
  return { seen, ticket };
}

it("two workers wait for one engine in one queue, and each hears its own", () => {
  const { server, workers } = serverOf(1);
  const [a, b] = [waits(workers[0]), waits(workers[1])];
  expect([a.seen, b.seen]).toEqual([["e0:1"], []]);
  a.ticket.prefillDone({ promptTokens: 10_000, cachedTokens: 0 });
  expect(b.seen).toEqual(["e0:1"]);
  b.ticket.cancel();
  b.ticket.cancel();
  a.ticket.cancel();
  expect(server.pools.size).toBe(0);
});

it("what a dead worker had and waited for is others' at once", () => {
  const { server, workers } = serverOf(1);
  waits(workers[0]);
  waits(workers[0]);
  const other = waits(workers[1]);
  server.workerEnded(0);
  expect(other.seen).toEqual(["e0:1"]);
  // Its prefill engine, and a place in its pool.
  expect(server.pools.size).toBe(2);
  // The same numbers again, from the worker that takes its place.
  const again = waits(workers[0]);
  other.ticket.cancel();
  expect(again.seen).toEqual(["e0:1"]);
});

it("a pool that the queue does not know does not wait, and a full queue rejects", () => {
  const { workers } = serverOf(1);
  // It waits for nothing.
  expect(waits(workers[0], { ...request, pool: "gone" }).seen).toEqual([""]);
  const all = Array.from({ length: 5 }, () => waits(workers[0]));
  expect(all.map(({ seen }) => seen)).toEqual([["e0:1"], [], [], [], ["queue-full"]]);
});

it("what engines have of a prompt is asked for worker by worker, and of a pool that is gone none tells", () => {
  const { workers } = serverOf(1);
  const heard: [number, unknown][] = [];
  const ids = Int32Array.of(1, 2, 3);
  workers.forEach((queue, worker) => {
    queue.leadingTokens(worker === 0 ? "p" : "gone", ids, (tokens) => heard.push([worker, tokens]));
  });
  expect(heard).toEqual([
    [0, new Map()],
    [1, new Map()],
  ]);
});
