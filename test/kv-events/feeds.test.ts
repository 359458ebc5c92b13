/** Reloads, and engines that come and go: what is known of their caches is told, and nobody is listened to in vain. */
import { afterEach, expect, it } from "vitest";
import type { ConfigInput } from "../../src/config/schema/schema.ts";
import { configSchema } from "../../src/config/schema/schema.ts";
import { Pool } from "../../src/pool/pool.ts";
import { SlotTable } from "../../src/pool/slots.ts";
import { PoolQueues } from "../../src/queue/pool-queues.ts";
import { createScoreboardMemory, Scoreboard } from "../../src/scoreboard/scoreboard.ts";
import { KvPublisher } from "../../src/simulated-engine/kv/kv-publisher.ts";
import { systemClock } from "../../src/transport/clock.ts";
import { eventually } from "../support/eventually.ts";
import { freePortRun } from "../support/ports.ts";

const host = "127.0.0.1";
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

type PoolInput = NonNullable<ConfigInput["pools"]>[string];

function poolOf(input: Omit<PoolInput, "policy">): Pool {
  const config = configSchema.parse({
    pools: { p: { policy: { name: "predictive" }, ...input } },
    servers: [{ listen: [{ port: 80 }], routes: [] }],
  });
  const board = new Scoreboard(createScoreboardMemory({ workers: 1, slots: 8 }), 0);
  const slots = new SlotTable(8, () => {}).assign(config);
  return new Pool("p", config.pools["p"]!, { board, slots, random: () => 0.5 });
}

function pools() {
  const lines: string[] = [];
  const held = new PoolQueues(systemClock, (_, line) => lines.push(line));
  ends.push(() => held.close());
  return { held, lines };
}

it("each rank of an engine is heard at its own port, through a reload, until it is configured no more", async () => {
  const publishers = [new KvPublisher(), new KvPublisher()];
  for (const one of publishers) ends.push(() => one.close());
  const [first, second] = publishers as [KvPublisher, KvPublisher];
  const port = await freePortRun(2);
  await first.listen(port, host);
  await second.listen(port + 1, host);
  const engines = [{ url: `${host}:9@0-1` }];
  const input = { engines, tokenize: true, kvEvents: { port } };
  const { held, lines } = pools();
  held.use([poolOf(input)]);
  const knowledge = () => {
    held.tick();
    return held.caches().map(({ knowledge }) => knowledge);
  };
  expect(knowledge()).toEqual(["blind", "blind"]);
  // Until the subscriptions have arrived, nobody is told; the first batch that comes must be the first of all.
  await eventually(() => first.subscriptions + second.subscriptions === 2);
  second.cleared();
  second.publish();
  await eventually(() => knowledge()[1] === "exact");
  expect(knowledge()).toEqual(["blind", "exact"]);
  held.use([poolOf({ ...input, keepAlive: { connections: 5 } })]);
  expect(knowledge()).toEqual(["blind", "exact"]);
  expect(lines).toEqual([
    'engine 127.0.0.1:9@0 of pool "p": nothing is known of what it has cached',
    'engine 127.0.0.1:9@1 of pool "p": nothing is known of what it has cached',
    'engine 127.0.0.1:9@1 of pool "p": what it has cached is known exactly',
  ]);
  held.use([poolOf({ engines })]);
  expect(knowledge()).toEqual(["blind", "blind"]);
  await eventually(() => first.subscriptions + second.subscriptions === 0);
});

it.each([
  ["without tokens nothing goes by them", { tokenize: false, kvEvents: { port: 1 } }, `${host}:9`],
  ["a rank leads beyond the last port", { tokenize: true, kvEvents: { port: 65_535 } }, "a:9@1"],
  ["a unix socket has no host", { tokenize: true, kvEvents: { port: 1 } }, "unix:/run/e.sock"],
])("nobody is listened to where %s", (_, input, url) => {
  const { held } = pools();
  held.use([poolOf({ engines: [{ url }], ...input })]);
  held.tick();
  expect(held.caches().map(({ knowledge }) => knowledge)).toEqual(["blind"]);
});
