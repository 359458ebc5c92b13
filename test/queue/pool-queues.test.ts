/**
 * Several queues before one decode pool: room that a request of one leaves must not stay empty while another waits for
 * it.
 */
import { expect, it } from "vitest";
import { configSchema } from "../../src/config/schema/schema.ts";
import { Pool } from "../../src/pool/pool.ts";
import { SlotTable } from "../../src/pool/slots.ts";
import { PoolQueues } from "../../src/queue/pool-queues.ts";
import { createScoreboardMemory, Scoreboard } from "../../src/scoreboard/scoreboard.ts";
import { queueRequest } from "./fake/queue.ts";

function queue() {
  const prefill = (name: string) => ({
    policy: { name: "predictive" as const },
    engines: [{ url: `${name}:1` }],
  });
  const config = configSchema.parse({
    pools: {
      a: prefill("a"),
      b: prefill("b"),
      c: { policy: { name: "least_conn" }, queue: {}, engines: [{ url: "c:1", maxConns: 9 }] },
      d: { policy: { name: "least_kv" }, queue: {}, engines: [{ url: "d:1", maxConns: 1 }] },
    },
    servers: [{ listen: [{ port: 80 }], routes: [] }],
  });
  const board = new Scoreboard(createScoreboardMemory({ workers: 1, slots: 4 }), 0);
  const slots = new SlotTable(4, () => {}).assign(config);
  const clock = { nowMs: () => 0, wallMs: () => 0, defer: (task: () => void) => task() };
  const pools = new PoolQueues(clock, () => {});
  const deps = { board, slots, random: () => 0.5 };
  pools.use(Object.entries(config.pools).map(([name, one]) => new Pool(name, one, deps)));
  const waits = (pool: string, decodePool: string) => {
    const reported: string[] = [];
    const ticket = pools.ticket(queueRequest({ pool, decodePool }), {
      granted: (engine) => reported.push(engine || "room"),
      rejected: (why) => reported.push(why),
    });
    ticket.enqueue();
    return { reported, ticket };
  };
  return { pools, waits };
}

it("room in decode is given on at once, whichever queue waits for it", () => {
  const { pools, waits } = queue();
  const first = waits("a", "d");
  const others = [waits("b", "d"), waits("c", "d"), waits("d", "")];
  expect(first.reported).toEqual(["a:1"]);
  expect(others.map(({ reported }) => reported)).toEqual([[], [], []]);
  first.ticket.prefillDone({ promptTokens: 250, cachedTokens: 0 });
  expect(others.map(({ reported }) => reported)).toEqual([[], [], []]);
  let under = first;
  for (let left = others.length; left > 0; left -= 1) {
    under.ticket.cancel();
    const granted = others.filter(({ reported }) => reported.length > 0);
    expect(granted).toHaveLength(others.length - left + 1);
    under = granted.find(({ reported }) => reported[0] !== "over")!;
    under.reported[0] = "over";
  }
  under.ticket.cancel();
  expect(pools.size).toBe(0);
});

it("a prefill engine that is given back unused is the next one's, without a tick", () => {
  const { pools, waits } = queue();
  const [first, second] = [waits("a", ""), waits("a", "")];
  expect([first.reported, second.reported]).toEqual([["a:1"], []]);
  // Its prefill has failed, and decode goes on without.
  first.ticket.releasePrefill();
  expect(second.reported).toEqual(["a:1"]);
  first.ticket.cancel();
  second.ticket.cancel();
  expect(pools.size).toBe(0);
});

it.each(["a", "d"])(
  "a listener of pool %s that throws when it is granted keeps no other from going",
  (pool) => {
    const { pools, waits } = queue();
    const first = waits(pool, "");
    const broken = pools.ticket(queueRequest({ pool }), {
      granted: () => {
        throw new Error("broken");
      },
      rejected: () => {},
    });
    broken.enqueue();
    const last = waits(pool, "");
    expect(() => first.ticket.cancel()).toThrow("broken");
    broken.cancel();
    expect(last.reported).toHaveLength(1);
    last.ticket.cancel();
    expect(pools.size).toBe(0);
  },
);
