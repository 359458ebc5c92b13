/**
 * Two proxies share engines, whose load each polls once a second; one of them has only half of the engines. By the
 * polled numbers alone, each proxy would send all requests of a second to the same engine; without them, the other
 * proxy's load would be overlooked.
 */
import { afterEach, expect, it } from "vitest";
import { configSchema } from "../../src/config/schema/schema.ts";
import { LoadPoller } from "../../src/control/polling/load-poller.ts";
import { leastKv } from "../../src/policies/least-kv.ts";
import type { Policy } from "../../src/policies/shared/policy.ts";
import { engineIdentity, SlotTable } from "../../src/pool/slots.ts";
import { createScoreboardMemory, Scoreboard } from "../../src/scoreboard/scoreboard.ts";
import { seededRandom } from "../../src/simulated-engine/model/prng.ts";
import { among, request } from "./pool-view.ts";

const names = ["a:1", "b:1", "c:1", "d:1"];
const serviceMs = 100;
const pollMs = 1_000;
/** The poller's own timer never fires: rounds are run in virtual time. */
const intervalMs = 600_000;
const requests = 4_000;
const config = configSchema.parse({
  pools: { p: { signals: { intervalMs }, engines: names.map((url) => ({ url })) } },
  servers: [{ listen: [{ port: 0 }], routes: [] }],
});

/** What a proxy goes by: all queues as they are, the policy with or without polls, or the polled numbers alone. */
type Knowledge = "current" | "policy and polls" | "policy alone" | "polls alone";

interface Job {
  readonly proxy: ProxyModel;
  readonly endMs: number;
}

type Queues = readonly Job[][];

const pollers: LoadPoller[] = [];
afterEach(() => {
  for (const poller of pollers.splice(0)) poller.close();
});

/** The scoreboard, the poller and the policy of one proxy. */
class ProxyModel {
  readonly board: Scoreboard;
  readonly slots: readonly number[];
  readonly engines: readonly number[];
  readonly reported: number[] = names.map(() => 0);
  readonly poller: LoadPoller;
  nextPollMs: number;
  readonly #policy: Policy;
  readonly #candidates;

  constructor(queues: Queues, engines: readonly number[], isPolled: boolean) {
    this.engines = engines;
    // They do not poll at the same time.
    this.nextPollMs = isPolled ? engines.length * 100 : Number.POSITIVE_INFINITY;
    this.board = new Scoreboard(createScoreboardMemory({ workers: 1, slots: 8 }), 0);
    const byIdentity = new SlotTable(8, (slot) => this.board.clearSlot(slot)).assign(config);
    this.slots = names.map((name) => byIdentity[engineIdentity("p", name)]!);
    this.poller = new LoadPoller({
      board: this.board,
      log: () => {},
      ask: async ({ key }) => {
        const engine = names.findIndex((name) => key.includes(name));
        this.reported[engine] = queues[engine]!.length;
        return {
          status: 200,
          body: Buffer.from(`vllm:num_requests_running ${this.reported[engine]}\n`),
        };
      },
    });
    pollers.push(this.poller);
    if (isPolled) this.poller.use(config, byIdentity);
    const weights = Float64Array.from(names, () => 1);
    const pool = {
      size: names.length,
      weights,
      addresses: names,
      slots: this.slots,
      board: this.board,
    };
    this.#candidates = among(pool, engines);
    this.#policy = leastKv.create(
      { pool, random: seededRandom(3) },
      { kvTokens: 1, requestTokens: 1_000 },
    );
  }

  pick(): number {
    return this.#policy.pick(this.#candidates, request());
  }
}

/** Mean wait before service in ms, at 80 % load. */
async function meanWaitMs(knowledge: Knowledge): Promise<number> {
  const random = seededRandom(7);
  const queues: Queues = names.map(() => []);
  const isPolled = knowledge === "policy and polls" || knowledge === "polls alone";
  const proxies = [
    [0, 1, 2, 3],
    [0, 1],
  ].map((engines) => new ProxyModel(queues, engines, isPolled));
  // Each poller polls once when it gets its configuration.
  await new Promise(setImmediate);
  let waitedMs = 0;
  let nowMs = 0;
  for (let i = 0; i < requests; i += 1) {
    nowMs += (-Math.log(1 - random()) * serviceMs) / (0.8 * names.length);
    queues.forEach((queue, engine) => {
      while (queue[0] !== undefined && queue[0].endMs <= nowMs) {
        const { proxy } = queue.shift()!;
        proxy.board.giveBack(proxy.slots[engine]!, 1);
      }
    });
    for (const proxy of proxies) {
      if (proxy.nextPollMs > nowMs) continue;
      proxy.nextPollMs += pollMs;
      await proxy.poller.round(intervalMs);
    }
    const proxy = proxies[i % 2]!;
    const engine =
      knowledge === "current"
        ? lowest(proxy.engines.map((one) => queues[one]!.length))
        : knowledge === "polls alone"
          ? lowest(proxy.engines.map((one) => proxy.reported[one]!))
          : proxy.pick();
    const startMs = Math.max(nowMs, queues[engine]!.at(-1)?.endMs ?? 0);
    waitedMs += startMs - nowMs;
    proxy.board.take(proxy.slots[engine]!, 1, 0);
    queues[engine]!.push({ proxy, endMs: startMs + serviceMs });
  }
  return waitedMs / requests;
}

function lowest(loads: readonly number[]): number {
  return loads.indexOf(Math.min(...loads));
}

it("polled load and requests sent since the poll both count: waits are not much longer than with current numbers", async () => {
  const wait = await meanWaitMs("policy and polls");
  expect(wait).toBeLessThan(1.6 * (await meanWaitMs("current")));
  expect(wait).toBeLessThan(0.5 * (await meanWaitMs("policy alone")));
  expect(wait).toBeLessThan(0.5 * (await meanWaitMs("polls alone")));
});
