/** Publishers that dial out: each batch is its engine's, also after restarts, reloads and beside strangers. */
import { connect, type Socket } from "node:net";
import { afterEach, expect, it } from "vitest";
import { type ConfigInput, configSchema } from "../../src/config/schema/schema.ts";
import { Pool } from "../../src/pool/pool.ts";
import { SlotTable } from "../../src/pool/slots.ts";
import { PoolQueues } from "../../src/queue/pool-queues.ts";
import { createScoreboardMemory, Scoreboard } from "../../src/scoreboard/scoreboard.ts";
import {
  KvPublisher,
  type KvPublisherOptions,
} from "../../src/simulated-engine/kv/kv-publisher.ts";
import { systemClock } from "../../src/transport/clock.ts";
import { eventually } from "../support/eventually.ts";
import { freePortRun } from "../support/ports.ts";

const host = "127.0.0.1";
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0).toReversed()) end();
});

type PoolInput = NonNullable<ConfigInput["pools"]>[string];

function poolOf(input: Partial<PoolInput>, kvEvents: PoolInput["kvEvents"]): Pool {
  const config = configSchema.parse({
    pools: {
      p: {
        policy: { name: "predictive" },
        tokenize: true,
        engines: [{ url: `${host}:8001` }, { url: `${host}:8002` }],
        kvEvents,
        ...input,
      },
    },
    servers: [{ listen: [{ port: 80 }], routes: [] }],
  });
  const board = new Scoreboard(createScoreboardMemory({ workers: 1, slots: 8 }), 0);
  const slots = new SlotTable(8, () => {}).assign(config);
  return new Pool("p", config.pools["p"]!, { board, slots, random: () => 0.5 });
}

function queues() {
  const lines: string[] = [];
  const queues = new PoolQueues(systemClock, (_, line) => lines.push(line));
  ends.push(() => queues.close());
  const knowledge = () => {
    queues.tick();
    return queues.caches().map((cache) => cache.knowledge);
  };
  return { queues, lines, knowledge };
}

function publisher(port: number, options: KvPublisherOptions): KvPublisher {
  const one = new KvPublisher(options);
  ends.push(() => one.close());
  one.connect(port, host);
  return one;
}

function publishClear(one: KvPublisher): void {
  one.cleared();
  one.publish();
}

const topicOf = (port: number) => `kv@${host}:${port}@model`;

it("what engines at one host publish is each one's own, by its topic", async () => {
  const port = await freePortRun(1);
  const { queues: all, lines, knowledge } = queues();
  // They try until somebody listens.
  const first = publisher(port, { topic: topicOf(8001), firstSeq: 1 });
  const second = publisher(port, { topic: topicOf(8002) });
  all.use([poolOf({}, { listen: `tcp://*:${port}` })]);
  await eventually(() => first.subscriptions + second.subscriptions === 2);
  expect(knowledge()).toEqual(["blind", "blind"]);
  publishClear(second);
  await eventually(() => knowledge()[1] === "exact");
  expect(knowledge()[0]).toBe("blind");
  publishClear(first);
  await eventually(() => knowledge()[0] === "exact");
  second.close();
  await eventually(() => knowledge()[1] === "blind");
  expect(knowledge()[0]).toBe("exact");
  expect(lines.some((line) => line.includes("ignored"))).toBe(false);
});

it("a publisher without a topic is the engine of its address, if that is one alone", async () => {
  const port = await freePortRun(1);
  const { queues: all, lines, knowledge } = queues();
  const listen = `tcp://${host}:${port}`;
  all.use([poolOf({}, { listen })]);
  const one = publisher(port, {});
  await eventually(() => one.subscriptions === 1);
  for (let i = 0; i < 3; i++) publishClear(one);
  const said = () => lines.filter((line) => line.includes("ignored"));
  await eventually(() => said().length === 1);
  expect(said()[0]).toMatch(
    /events from 127\.0\.0\.1 with topic "" are ignored: .*127\.0\.0\.1:8001, 127\.0\.0\.1:8002$/,
  );
  expect(knowledge()).toEqual(["blind", "blind"]);
  // A reload leaves the connection, and one engine at that address.
  all.use([poolOf({ engines: [{ url: `${host}:8001` }] }, { listen })]);
  publishClear(one);
  publishClear(one);
  await eventually(() => knowledge()[0] === "exact");
  expect(one.subscriptions).toBe(1);
  expect(said()).toHaveLength(1);
});

it("after a restart of the proxy, a replay says what was published before; else nothing is claimed", async () => {
  const [port, replayPort] = await freePortRun(2).then((first) => [first, first + 1] as const);
  const one = publisher(port, { topic: topicOf(8001) });
  const other = publisher(port, { topic: topicOf(8002) });
  await one.listenForReplay(replayPort, host);
  publishClear(one);
  // Batch 1 alone could be the first of an engine that counts from 1.
  publishClear(other);
  publishClear(other);
  const { queues: all, knowledge } = queues();
  const engines = [
    { url: `${host}:8001`, attributes: { kv_replay_port: `${replayPort}` } },
    { url: `${host}:8002` },
  ];
  all.use([poolOf({ engines }, { listen: `tcp://*:${port}` })]);
  await eventually(() => one.subscriptions + other.subscriptions === 2);
  for (const each of [one, other]) {
    each.stored({ hashes: [1n], parent: undefined, tokens: Array(16).fill(7), blockTokens: 16 });
    each.publish();
  }
  await eventually(() => knowledge()[0] === "exact");
  expect(knowledge()[1]).not.toBe("exact");
  publishClear(other);
  await eventually(() => knowledge()[1] === "exact");
});

it("each rank connects to its own port", async () => {
  const port = await freePortRun(2);
  const { queues: all, knowledge } = queues();
  all.use([poolOf({ engines: [{ url: `${host}:8001@0-1` }] }, { listen: `tcp://*:${port}` })]);
  const second = publisher(port + 1, {});
  await eventually(() => second.subscriptions === 1);
  publishClear(second);
  await eventually(() => knowledge()[1] === "exact");
  expect(knowledge()[0]).toBe("blind");
});

it("an address that another process has is tried again, and a drain gives it free", async () => {
  const port = await freePortRun(1);
  const before = queues();
  const listen = `tcp://${host}:${port}`;
  before.queues.use([poolOf({}, { listen })]);
  const one = publisher(port, { topic: topicOf(8001) });
  await eventually(() => one.subscriptions === 1);
  const after = queues();
  after.queues.use([poolOf({}, { listen })]);
  await eventually(() => after.lines.some((line) => line.includes("cannot listen")));
  before.queues.drain();
  await eventually(() => one.subscriptions === 0);
  await eventually(() => one.subscriptions === 1);
  publishClear(one);
  await eventually(() => after.knowledge()[0] === "exact");
});

it("a peer that is no publisher is disconnected, and the others stay", async () => {
  const port = await freePortRun(1);
  const { queues: all, lines, knowledge } = queues();
  all.use([poolOf({}, { listen: `tcp://${host}:${port}` })]);
  const one = publisher(port, { topic: topicOf(8001) });
  await eventually(() => one.subscriptions === 1);
  const stranger: Socket = connect(port, host);
  ends.push(() => stranger.destroy());
  // Its end is seen only by who reads.
  stranger.resume();
  let isClosed = false;
  stranger
    .on("error", () => {})
    .on("close", () => {
      isClosed = true;
    });
  stranger.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await eventually(() => isClosed);
  expect(lines.filter((line) => line.includes("is rejected"))).toHaveLength(1);
  publishClear(one);
  await eventually(() => knowledge()[0] === "exact");
});
